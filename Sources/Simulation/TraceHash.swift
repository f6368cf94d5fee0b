import ByteCoding

/// The hash over all that happened, in order: two runs with one hash were the same run.
struct TraceHash {
    /// What happened, as one byte.
    enum Event: UInt8 {
        case delivered = 1
        case connected = 2
        case refused = 3
        case lost = 4
        case crashed = 5
        case started = 6
        case synced = 7
        case deferred = 8
        case persisted = 9
        case fault = 10
        case clientAnswer = 11
        case clientRequest = 12
        case maintained = 13
        case violation = 14
    }

    /// The hash so far.
    private(set) var value: UInt64 = 0x5374_6172_6C69_6E67
    /// How many events it covers.
    private(set) var count = 0

    /// Adds an event.
    ///
    /// The place is the node, connection or client it happened to.
    mutating func add(_ event: Event, at time: UInt64, place: Int, _ bytes: [UInt8] = []) {
        add(event, at: time, place: place, number: bytes.isEmpty ? 0 : Hash64.hash(bytes))
    }

    /// Adds an event that a number tells apart.
    mutating func add(_ event: Event, at time: UInt64, place: Int, number: UInt64) {
        count += 1
        mix(UInt64(event.rawValue) << 56 ^ UInt64(truncatingIfNeeded: place))
        mix(time)
        mix(number)
    }

    private mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* 0x9E37_79B9_7F4A_7C15
        value ^= value >> 29
    }

    /// Sixteen hexadecimal digits.
    var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
