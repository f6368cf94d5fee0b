import Glibc

/// Waiting on a thread that has nothing else to do.
enum ThreadPause {
    /// Blocks the calling thread; never to be called on a loop.
    static func wait(_ duration: Duration) {
        guard duration > .zero else { return }
        let (seconds, attoseconds) = duration.components
        var left = timespec()
        left.tv_sec = Int(seconds)
        left.tv_nsec = Int(attoseconds / 1_000_000_000)
        // A signal shortens the wait, which does no harm.
        nanosleep(&left, nil)
    }
}
