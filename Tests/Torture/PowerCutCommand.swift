import Foundation
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

    /// Begins the program again in a mount namespace of its own.
    ///
    /// Else a process that makes a namespace would take the mount along and keep a cut file system
    /// alive, which could then not be mounted anew. And so the mount goes with this program.
    private func enterNamespace() throws(TortureError) {
        let mark = "ENGINE_TORTURE_NAMESPACE"
        guard unsafe getenv(mark) == nil else { return }
        setenv(mark, "1", 1)
        let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
        let words = ["unshare", "--mount", "--", executable] + CommandLine.arguments.dropFirst()
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        unsafe execvp("unshare", arguments)
        throw TortureError("unshare: \(String(cString: unsafe strerror(errno)))", exitCode: 69)
    }

    func run() throws -> Int32 {
        guard getuid() == 0, access("/dev/loop-control", R_OK | W_OK) == 0 else {
            throw TortureError("power-cut needs root and loop devices", exitCode: 69)
        }
        try enterNamespace()
        unlink(cycles.journal)
        try disk.make()
        var isKept = false
        defer { disk.remove(keepingImage: isKept) }
        let summary = try cycles.run { child in
            defer { child.kill() }
            // A call that is under way may still report success after the cut, as no machine
            // without power does.
            try Journal(cycles.journal).append([JournalEntry(kind: .cut, counter: 0)])
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
