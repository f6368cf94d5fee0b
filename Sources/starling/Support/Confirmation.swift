import Foundation

/// Asks before something is destroyed.
enum Confirmation {
    /// Returns when the user agrees, or has agreed by `--yes`; throws a usage error where no one
    /// can be asked, and exit 1 where the answer is no.
    static func require(_ question: String, isGiven: Bool) throws {
        if isGiven { return }
        guard Console.isInputTerminal, Console.isErrorTerminal else {
            throw CommandError.usage(
                "this destroys data and there is no terminal to ask on.",
                advice: "Add --yes to go ahead, or --dry-run to see what would happen."
            )
        }
        Console.noteRaw(question + " [y/N] ")
        let answer = readLine(strippingNewline: true)?.lowercased() ?? ""
        guard answer == "y" || answer == "yes" else {
            throw CommandError("invalid", "not confirmed; nothing was done.", exit: .failed)
        }
    }
}
