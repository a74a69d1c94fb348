import { registryOptions } from "../options/sets.js";
import { defineCommand, type RunCommand } from "./command.js";

export const crLogin: RunCommand = defineCommand({
  arguments: "[REGISTRY]",
  options: ["username", "password", "passwordStdin", ...registryOptions],
  description: [
    "Tries the user name and password at the registry, and keeps them in the Docker configuration for werf, docker, helm and others: in its credential store when it names one, as plain text otherwise. REGISTRY is HOST or HOST:PORT; without it Docker Hub is meant. On a terminal, what is missing is asked for.",
    "A password on the command line is seen by everybody on the machine; --password-stdin isn't.",
  ],
  examples: [
    "werf cr login registry.example.org",
    "werf cr login registry.example.org -u ci --password-stdin < password.txt",
    "werf cr login -u me                  # Docker Hub",
  ],
  async registryOfEnvironment([registry]) {
    return (await import("../../registry/auth/login.js")).loginHost(registry);
  },
  async execute(run, { options, args, input, output }) {
    const { logIn } = await import("../../actions/login.js");
    await logIn(run, { ...options, registry: args[0] }, input);
    output.line("Successful login");
  },
});
