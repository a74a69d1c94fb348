import { impossible, type Syntax } from "./syntax.js";

/** `docker run --env-file` and GitLab's dotenv reports: everything after the first = is the value. */
export const envFile: Syntax = {
  extension: "",
  lineEnd: "\n",
  assign(name, value) {
    if (/[\r\n]/.test(value)) {
      throw impossible(name, "an env file", "line breaks", "use --as-file, whose script can");
    }
    return `${name}=${value}`;
  },
  comment: (text) => `# ${text}`,
  echo: undefined,
};
