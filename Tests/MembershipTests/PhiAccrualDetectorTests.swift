import ClusterPrimitives
import Membership
import Testing

@Suite struct `Phi accrual` {
    private static func at(_ milliseconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: UInt64(milliseconds) * 1_000_000)
    }

    /// A link with a heartbeat every 250 ms from 10 s on; the last at `last`.
    private static func regular(_ count: Int) -> (PhiAccrualDetector, last: Int) {
        var detector = PhiAccrualDetector(start: at(10_000))
        for beat in 0..<count { detector.heartbeat(at: at(10_000 + beat * 250)) }
        return (detector, 10_000 + (count - 1) * 250)
    }

    @Test func `reaches 8 after 4.6 seconds of silence at a quarter of a second`() {
        let (detector, last) = Self.regular(2_000)
        #expect(detector.phi(at: Self.at(last + 4_500)) < 8)
        #expect(detector.phi(at: Self.at(last + 4_650)) > 8)
        #expect(detector.phi(at: Self.at(last + 250)) < 0.5)
    }

    @Test func `is 0 before the last arrival, and never traps there`() {
        let (detector, last) = Self.regular(10)
        #expect(detector.phi(at: Self.at(last)) == 0)
        #expect(detector.phi(at: Self.at(0)) == 0)
        var late = detector
        late.heartbeat(at: Self.at(0))
        late.reply(at: Self.at(0))
        late.evaluated(at: Self.at(5_000))
        late.evaluated(at: Self.at(0))
        #expect(late.lastArrival == Self.at(last))
        #expect(late.phi(at: MonotonicInstant(nanoseconds: .max)) > 8)
    }

    @Test func `judges a link mildly over which nothing has come yet`() {
        let detector = PhiAccrualDetector(start: Self.at(0))
        #expect(detector.meanInterval == .milliseconds(500))
        #expect(detector.phi(at: Self.at(4_650)) < 8)
        #expect(detector.phi(at: Self.at(9_300)) > 8)
    }

    @Test func `does not learn from a long silence`() {
        var (detector, last) = Self.regular(1_000)
        let mean = detector.meanInterval
        detector.heartbeat(at: Self.at(last + 60_000))
        #expect(detector.meanInterval == mean)
        #expect(detector.phi(at: Self.at(last + 60_000 + 4_650)) > 8)
    }

    @Test func `forgets what lies before its window`() {
        var detector = PhiAccrualDetector(
            settings: PhiAccrualDetector.Settings(windowSize: 4),
            start: Self.at(0)
        )
        var time = 0
        for _ in 0..<10 {
            time += 400
            detector.heartbeat(at: Self.at(time))
        }
        #expect(detector.meanInterval == .milliseconds(400))
        for _ in 0..<10 {
            time += 200
            detector.heartbeat(at: Self.at(time))
        }
        #expect(detector.meanInterval == .milliseconds(200))
    }

    @Test func `ends the silence with a reply, which is no sample`() {
        var (detector, last) = Self.regular(100)
        let mean = detector.meanInterval
        detector.reply(at: Self.at(last + 4_000))
        #expect(detector.meanInterval == mean)
        #expect(detector.phi(at: Self.at(last + 4_250)) < 1)
    }

    @Test func `judges nobody after this node stood still, until as long again has passed`() {
        var (detector, last) = Self.regular(1_000)
        detector.evaluated(at: Self.at(last))
        detector.evaluated(at: Self.at(last + 250))
        #expect(!detector.isExcused(at: Self.at(last + 250)))
        let awake = last + 30_000
        detector.evaluated(at: Self.at(awake))
        #expect(detector.phi(at: Self.at(awake)) == 0)
        for step in 1...20 { detector.evaluated(at: Self.at(awake + step * 250)) }
        #expect(detector.phi(at: Self.at(awake + 5_000)) == 0)
        #expect(detector.phi(at: Self.at(awake + 5_001)) > 8)
    }
}
