import Glibc

/// What a node asks of its process before it starts.
enum ProcessSetup {
    /// Raises the limit of open files as far as it goes, and has writes to closed pipes and
    /// sockets fail instead of killing the process.
    ///
    /// - Returns: the open files that are possible now.
    @discardableResult
    static func prepare() -> UInt64 {
        signal(SIGPIPE, SIG_IGN)
        let openFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(openFiles, &limit) == 0 else { return 0 }
        limit.rlim_cur = limit.rlim_max
        setrlimit(openFiles, &limit)
        getrlimit(openFiles, &limit)
        return UInt64(limit.rlim_cur)
    }

    /// Bytes from the kernel's generator for secrets.
    static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// A seed from the kernel.
    static func randomSeed() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}
