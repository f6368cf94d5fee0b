import Glibc

/// `power-cut`: cycles that end by cutting a file system off from its disk.
struct PowerCutCommand {
    private let image: String
    private let isSyncLying: Bool
    private let cycles: Cycles
    private let disk: ImageDisk

    init(_ words: ArraySlice<String>) throws(TortureError) {
        let options = try Options(
            words,
            known: ["image", "cycles", "seed", "durability", "size-mib"],
            flags: ["lying-sync", "keep"]
        )
        image = try options.required("image")
        isSyncLying = options.has("lying-sync")
        disk = ImageDisk(
            image: image,
            mountPoint: image + ".mount",
            sizeInBytes: try options.number("size-mib", in: 64...65536, default: 1024) << 20
        )
        cycles = Cycles(
            directory: disk.mountPoint + "/db",
            journal: image + ".journal",
            count: try options.number("cycles", in: 1...1_000_000, default: 200),
            seed: try options.seed(),
            durability: options.text("durability") ?? "group",
            isPowerCut: true,
            isSyncLying: isSyncLying,
            copy: options.has("keep") ? image + ".before" : nil
        )
    }

    func run() throws -> Int32 {
        guard getuid() == 0, access("/dev/loop-control", R_OK | W_OK) == 0 else {
            throw TortureError("power-cut needs root and loop devices", exitCode: 69)
        }
        disk.unmount()
        unlink(cycles.journal)
        try disk.make()
        var isKept = false
        defer { disk.remove(keepingImage: isKept) }
        let summary = try cycles.run { child in
            defer { child.kill() }
            try disk.cutPower()
            child.kill()
            disk.unmount()
            try disk.mount()
        }
        isKept = !summary.isClean && !isSyncLying
        if isKept { report("the image stays in \(image)") }
        guard isSyncLying else { return summary.isClean ? 0 : 1 }
        report(
            summary.isClean
                ? "the syncs lied, and no loss was found" : "the syncs lied, and the loss was found"
        )
        return summary.isClean ? 1 : 0
    }
}
