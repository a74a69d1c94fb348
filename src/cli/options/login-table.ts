/** Options of `werf cr login`; a part of the table. */
export const loginTable = {
  username: {
    kind: "text",
    flag: "username",
    short: "u",
    placeholder: "NAME",
    group: "Login",
    env: ["WERF_USERNAME"],
    description: "user of the registry",
  },
  password: {
    kind: "text",
    flag: "password",
    short: "p",
    placeholder: "PASSWORD",
    group: "Login",
    env: ["WERF_PASSWORD"],
    description: "password, or an access token in its place",
  },
  passwordStdin: {
    kind: "boolean",
    flag: "password-stdin",
    group: "Login",
    env: ["WERF_PASSWORD_STDIN"],
    default: false,
    description: "read the password from standard input",
  },
} as const;
