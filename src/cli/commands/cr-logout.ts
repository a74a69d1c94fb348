import { defineCommand, type RunCommand } from "./command.js";

export const crLogout: RunCommand = defineCommand({
  arguments: "[REGISTRY]",
  options: ["dockerConfig"],
  description: [
    "Removes the login to the registry from the Docker configuration and from its credential store. REGISTRY is HOST or HOST:PORT; without it Docker Hub is meant.",
  ],
  examples: ["werf cr logout registry.example.org"],
  async execute(run, { options, args, output }) {
    const { logOut } = await import("../../actions/login.js");
    await logOut(run, { ...options, registry: args[0] });
    output.line("Successful logout");
  },
});
