import Foundation
import Glibc

/// An ext4 file system in a file.
struct ImageDisk {
    let image: String
    let mountPoint: String
    let sizeInBytes: Int

    /// Makes the image, which takes no more room than is written to it, and mounts it.
    func make() throws(TortureError) {
        unlink(image)
        let descriptor = open(image, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("open", image) }
        defer { close(descriptor) }
        guard ftruncate(descriptor, sizeInBytes) == 0 else { throw .system("ftruncate", image) }
        mkdir(mountPoint, 0o700)
        do {
            try Self.run("mkfs.ext4", "-q", "-F", image)
            try mount()
        } catch {
            remove(keepingImage: false)
            throw TortureError(error.description, exitCode: 69)
        }
    }

    func mount() throws(TortureError) {
        try Self.run("mount", "-o", "loop", image, mountPoint)
        // A cut file system that somebody keeps alive comes back as it was, and is no finding.
        let probe = mountPoint + "/probe"
        let descriptor = open(probe, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("open", probe) }
        close(descriptor)
        unlink(probe)
    }

    /// Drops all that was not synced, as a power cut does; calls to the file system fail from now.
    func cutPower() throws(TortureError) {
        let descriptor = open(mountPoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", mountPoint) }
        defer { close(descriptor) }
        // EXT4_IOC_SHUTDOWN is _IOR('X', 125, u32); 2 is EXT4_GOING_FLAGS_NOLOGFLUSH.
        var flags: UInt32 = 2
        guard unsafe ioctl(descriptor, 0x8004_587D, &flags) == 0 else {
            throw .system("shutdown", mountPoint)
        }
    }

    /// Unmounts it, which frees its loop device; does nothing if it is not mounted.
    func unmount() {
        for _ in 0..<500 where isMounted {
            if (try? Self.run("umount", "-q", mountPoint)) == nil { usleep(10_000) }
        }
        // Somebody looks into it; the name at least is given free.
        if isMounted { try? Self.run("umount", "-l", mountPoint) }
    }

    private var isMounted: Bool {
        var own = stat()
        var parent = stat()
        return unsafe stat(mountPoint, &own) == 0 && stat(mountPoint + "/..", &parent) == 0
            && own.st_dev != parent.st_dev
    }

    /// Unmounts it, and removes the image if it is not kept.
    func remove(keepingImage: Bool) {
        unmount()
        rmdir(mountPoint)
        if !keepingImage { unlink(image) }
    }

    private static func run(_ words: String...) throws(TortureError) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        do { try process.run() } catch { throw TortureError("\(words[0]): \(error)") }
        let text = String(
            decoding: errors.fileHandleForReading.readDataToEndOfFile(),
            as: UTF8.self
        )
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw TortureError("\(words.joined(separator: " ")) failed: \(text)")
        }
    }
}
