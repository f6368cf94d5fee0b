import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Replication

/// The stamps of writes, and when there are none.
extension Lane {
    /// Whether this node's clock is, or was in an earlier life, so far from the others' that
    /// nobody would believe its stamps.
    func isClockOff(at now: Instant) -> Bool {
        clock.lead(at: now.wall) > 0
            || ClockHealth.isOff(liveness.clock.deviation(at: now.wall, now.monotonic))
    }

    /// Tells the asker of a write that this node's clock does not allow a stamp, where it does not.
    ///
    /// - Returns: whether it was told.
    func refusesToStamp(
        _ sink: ResponseSink,
        at now: Instant,
        into effects: inout Effects
    ) -> Bool {
        let deviation = liveness.clock.deviation(at: now.wall, now.monotonic)
        let lead = clock.lead(at: now.wall)
        let what: String
        let remedy: String
        if ClockHealth.isOff(deviation) {
            let side = deviation < 0 ? "behind" : "ahead of"
            what = "clock is \(deviation.magnitude) ms \(side) those of the other nodes"
            remedy = "set the clock right"
        } else if lead > 0 {
            what = "clock was \(lead) ms ahead of now in an earlier run"
            remedy = "this one stamps writes again once that time has come"
        } else {
            return false
        }
        fail(
            sink,
            FailureResponse(
                code: .unavailable,
                message: "\(identity.name)'s \(what), so it stamps no write, and no replica could "
                    + "be handed it",
                advice: "Nothing was written. Ask another node; \(remedy)."
            ),
            into: &effects
        )
        return true
    }

    /// The write's version: above all this lane has seen, and above its context; answers the
    /// asker where there is none.
    mutating func stamp(
        _ write: WriteRequest,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ now: Instant,
        _ effects: inout Effects
    ) -> Version? {
        var seen = Version.zero
        if write.context.count > 0 {
            let context = decodeContext(
                write.context,
                .lww,
                write.keyspace,
                write.key,
                bytes,
                sink,
                &effects
            )
            guard let context else { return nil }
            seen = context.version
        }
        guard write.timestamp > 0 else { return stamp(above: seen, sink, now, &effects) }
        return stamp(of: write, sink, now, &effects)
    }

    /// The version that the client asked for, where that is near this node's clock; answers the
    /// asker otherwise.
    ///
    /// It moves no clock, and may lie below what the key holds.
    private mutating func stamp(
        of write: WriteRequest,
        _ sink: ResponseSink,
        _ now: Instant,
        _ effects: inout Effects
    ) -> Version? {
        let wall = WallClockTime(milliseconds: write.timestamp)
        let distance = max(wall, now.wall).milliseconds - min(wall, now.wall).milliseconds
        guard distance <= HybridClock.maximumOffsetMilliseconds else {
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "the timestamp \(wall) is \(distance) ms away from "
                        + "\(identity.name)'s clock, the most is 500 ms",
                    advice: "Nothing was written. Leave the timestamp out, or set the clock of "
                        + "the client."
                ),
                into: &effects
            )
            return nil
        }
        // The upper half of the counters, which a clock of its own hardly reaches.
        clientStamps = clientStamps &+ 1
        let timestamp = HybridTimestamp(wall: wall, counter: clientStamps | 0x8000)
        return Version(timestamp: timestamp, node: identity.id, lane: number)
    }

    /// A new version above `seen`; answers the asker where there is none.
    mutating func stamp(
        above seen: Version,
        _ sink: ResponseSink,
        _ now: Instant,
        _ effects: inout Effects
    ) -> Version? {
        switch stamp(above: seen, now) {
        case .success(let version): return version
        case .failure(let refusal):
            fail(sink, refusal.response, into: &effects)
            return nil
        }
    }

    /// Why a write cannot be stamped.
    struct StampRefusal: Error {
        var response: FailureResponse
    }

    /// A new version; nil where there is none now.
    mutating func stamp(at now: Instant) -> Version? {
        if case .success(let version) = stamp(above: .zero, now) { version } else { nil }
    }

    /// A new version above `seen`, or why there is none.
    mutating func stamp(
        above seen: Version,
        _ now: Instant
    ) -> Result<Version, StampRefusal> {
        guard clock.believes(seen.timestamp, at: now.wall) else {
            let response = FailureResponse(
                code: .conflict,
                message: "the key's version \(describe(seen)) lies more than 500 ms ahead of "
                    + "\(view.name(of: identity.id))'s clock",
                advice: "Nothing was written. Check the clocks of the nodes, and try again."
            )
            return .failure(StampRefusal(response: response))
        }
        guard let timestamp = clock.now(at: now.wall, above: seen.timestamp) else {
            let response = FailureResponse(
                code: .overloaded,
                message: "\(view.name(of: identity.id)) cannot stamp a write: its clock's bound "
                    + "is not on disk yet",
                advice: "Nothing was written. Try again."
            )
            return .failure(StampRefusal(response: response))
        }
        return .success(Version(timestamp: timestamp, node: identity.id, lane: number))
    }
}
