import Glibc

/// `kill`: cycles that end by SIGKILL.
struct KillCommand {
    private let cycles: Cycles

    init(_ words: ArraySlice<String>) throws(TortureError) {
        let options = try Options(
            words,
            known: ["directory", "cycles", "seed", "durability"],
            flags: ["keep"]
        )
        let directory = try options.required("directory")
        cycles = Cycles(
            directory: directory,
            journal: directory + ".journal",
            count: try options.number("cycles", in: 1...1_000_000, default: 1000),
            seed: try options.seed(),
            durability: options.text("durability") ?? "group",
            copy: options.has("keep") ? directory + ".before" : nil
        )
    }

    func run() throws -> Int32 {
        // A journal without its engine belongs to one that was removed.
        if access(cycles.directory, F_OK) != 0 { unlink(cycles.journal) }
        return try cycles.run { $0.kill() }.isClean ? 0 : 1
    }
}
