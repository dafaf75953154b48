/** `crucible completion`: what makes a shell complete our command line, and what that asks. */
import { Command } from "commander";
import { type Commands, complete } from "#cli/completion/complete";
import { SCRIPTS, SHELLS } from "#cli/completion/scripts";
import { print } from "#cli/io";
import { nameParser } from "./files.ts";
import { withHelp } from "./options.ts";

export function completionCommand(all: Commands): Command {
  const command = new Command("completion")
    .description("make a shell complete commands, flags, suites, requirement ids and other words")
    .argument("<shell>", SHELLS.join(", "), nameParser("shell", SHELLS))
    .argument("[words...]", "behind --, as its script asks: tells what the last of them may become")
    .action(async (shell: (typeof SHELLS)[number], words: readonly string[]) => {
      if (words.length === 0) process.stdout.write(SCRIPTS[shell]);
      else for (const word of await complete(words, all)) print(word);
    });
  return withHelp(command, "completion", {
    notes: [
      "Prints a script, which the shell reads at its start:",
      "  bash  source <(crucible completion bash)      in ~/.bashrc",
      "  zsh   source <(crucible completion zsh)       in ~/.zshrc, behind compinit",
      "  fish  crucible completion fish | source       in ~/.config/fish/config.fish",
    ].join("\n"),
    examples: ["bash", "zsh", "fish", "bash -- run --suite msc41"],
  });
}
