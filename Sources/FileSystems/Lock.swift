internal import CSystemCalls

/// A value that one thread at a time may look at and change, for a moment.
///
/// It is for what all threads come to with each request. The standard library's `Mutex` hands
/// itself over to the thread that has waited longest, and nobody has it until that thread runs
/// again: sixteen threads that are woken at once spend half of their time so. This one is had by
/// whoever comes first once it is free, so none may hold it for long.
///
/// Unchecked because of the addresses; what lies there is touched by who holds the lock.
package struct Lock<Value>: ~Copyable, @unchecked Sendable {
    @usableFromInline let lock: OpaquePointer
    @usableFromInline let value: UnsafeMutablePointer<Value>

    /// A lock that is free, over a value.
    package init(_ initial: sending Value) {
        guard let made = starling_lock_make() else {
            preconditionFailure("there is no memory for a lock")
        }
        unsafe lock = made
        unsafe value = .allocate(capacity: 1)
        unsafe value.initialize(to: initial)
    }

    deinit {
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
        unsafe starling_lock_free(lock)
    }

    /// Waits until no other thread has the value, and lends it.
    @inlinable
    package func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe starling_lock_acquire(lock)
        defer { unsafe starling_lock_release(lock) }
        return unsafe try body(&value.pointee)
    }
}
