internal import CSystemCalls
internal import Glibc

/// A number that only goes forward, and on which threads wait (Reed and Kanodia, 1979).
///
/// Who waits for a condition reads the number, looks at the condition, and waits past what was
/// read; who makes the condition true advances the number behind that. All are woken with one call,
/// and none meets another at a lock then, as those do who are woken from a condition variable.
///
/// Unchecked because of the address, which nobody changes; what lies there is atomic.
package final class EventCount: @unchecked Sendable {
    private let count: OpaquePointer

    /// A number at its beginning, for which nobody waits.
    package init() {
        guard let made = starling_event_count_make() else {
            preconditionFailure("there is no memory for an event count")
        }
        unsafe count = made
    }

    deinit {
        unsafe free(UnsafeMutableRawPointer(count))
    }

    /// The number now.
    package var now: UInt32 { unsafe starling_event_count_read(count) }

    /// Moves the number on and wakes all who wait; some nanoseconds if nobody does.
    package func advance() { unsafe starling_event_count_advance(count) }

    /// Returns once the number has moved on from `seen`, or after a time; now and then early.
    ///
    /// - Parameters:
    ///   - seen: what `now` was.
    ///   - limit: in nanoseconds; 0 for none.
    package func wait(past seen: UInt32, nanoseconds limit: Int = 0) {
        unsafe starling_event_count_wait(count, seen, limit)
    }
}
