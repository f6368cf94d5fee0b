import Foundation
import Glibc

/// A node's process, as the lock on its data directory tells of it.
///
/// The kernel gives the lock back when a process ends, however it ends: no file that a killed
/// process left behind can be taken for a running node.
struct DevProcess {
    /// The process that holds a lock, nil when nobody does.
    ///
    /// Only looks: taking the lock for a moment could make a node fail that is just starting. The
    /// lock file names its holder, as `process 4711`.
    static func holder(ofLock lock: String) -> pid_t? {
        var status = stat()
        guard stat(lock, &status) == 0,
            let text = try? String(contentsOfFile: lock, encoding: .utf8),
            let named = text.split(whereSeparator: { !$0.isNumber }).first.flatMap({ pid_t($0) })
        else { return nil }
        guard let locks = contents(of: "/proc/locks") else {
            return isTaken(lock) ? named : nil
        }
        for line in locks.split(separator: "\n") {
            // 3: FLOCK  ADVISORY  WRITE 4711 00:2e:1234 0 EOF
            let fields = line.split(separator: " ").filter { $0 != "->" }
            guard fields.count >= 6, fields[1] == "FLOCK", pid_t(fields[4]) == named,
                fields[5].hasSuffix(":\(status.st_ino)")
            else { continue }
            return named
        }
        return nil
    }

    /// Whether a process is stopped by a signal.
    static func isPaused(_ process: pid_t) -> Bool {
        // The state follows the name, which is in parentheses and may hold anything.
        guard let text = contents(of: "/proc/\(process)/stat"),
            let end = text.lastIndex(of: ")")
        else { return false }
        return text[end...].dropFirst(2).first == "T"
    }

    /// Whether a process exists and has not ended.
    static func exists(_ process: pid_t) -> Bool {
        guard let text = contents(of: "/proc/\(process)/stat"),
            let end = text.lastIndex(of: ")")
        else { return false }
        return text[end...].dropFirst(2).first != "Z"
    }

    /// The command line of a process; empty when there is none.
    static func arguments(of process: pid_t) -> [String] {
        (contents(of: "/proc/\(process)/cmdline") ?? "").split(separator: "\0").map(String.init)
    }

    /// Starts this program again, in a session of its own, with its output in a file.
    static func start(_ arguments: [String], log: String) throws(CommandError) -> pid_t {
        let program = executable()
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        for descriptor in openDescriptors() where descriptor > 2 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        // The child begins with default signals, whatever this process does with its own.
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        let flags = newSession | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let vector = strings([program] + arguments)
        let variables = strings(environment(ProcessInfo.processInfo.environment))
        defer { for pointer in vector + variables { free(pointer) } }
        var process = pid_t()
        let result = posix_spawn(&process, program, &actions, &attributes, vector, variables)
        guard result == 0 else {
            throw CommandError.dev(
                "'\(program)' cannot be started: \(String(cString: strerror(result))).",
                advice: "Check that the program and '\(log)' can be accessed."
            )
        }
        return process
    }

    /// What a process of the cluster is told of its surroundings, as `NAME=value`.
    ///
    /// A busy node frees what hundreds of requests held together, of which glibc keeps seven pieces
    /// of a size for each thread to be taken again without searching; the unit for systemd says the
    /// same. Whoever tunes glibc otherwise is not overruled.
    static func environment(_ inherited: [String: String]) -> [String] {
        var variables = inherited
        if variables["GLIBC_TUNABLES"] == nil {
            variables["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=512"
        }
        return variables.map { "\($0.key)=\($0.value)" }.sorted()
    }

    /// Copies for C, ended by nil; the caller frees them.
    private static func strings(_ strings: [String]) -> [UnsafeMutablePointer<CChar>?] {
        strings.map { strdup($0) } + [nil]
    }

    /// The file of this program, also when it was replaced by a newer build meanwhile.
    static func executable() -> String {
        let link = "/proc/self/exe"
        guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: link),
            FileManager.default.isExecutableFile(atPath: path)
        else { return "/proc/\(getpid())/exe" }
        return path
    }

    /// `POSIX_SPAWN_SETSID` of glibc, which shows it only to sources that ask for its extensions.
    private static let newSession: Int32 = 0x80

    /// What this process holds open and the new one shall not get.
    private static func openDescriptors() -> [Int32] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        return (names ?? []).compactMap { Int32($0) }
    }

    private static func isTaken(_ lock: String) -> Bool {
        let descriptor = open(lock, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0
    }

    /// Files of `/proc` have no size, so they are read to their end.
    private static func contents(of path: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        return (try? file.readToEnd()).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
    }
}
