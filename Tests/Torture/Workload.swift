import ByteCoding
import ClusterPrimitives

/// One change of a key, known by its writer's count.
struct Change: Equatable, Sendable {
    let key: KeyNumber
    let counter: UInt64
    let isDeletion: Bool
    /// Bytes of the value: 0, or at least those of its header.
    let size: Int
}

/// Values that say themselves whose they are.
///
///     value := empty | key: uint64, counter: uint64, length: uint32, checksum: uint32, filling
enum Value {
    static let headerSize = 24

    /// The value that a change puts.
    static func bytes(of change: Change) -> [UInt8] {
        guard change.size >= headerSize else { return [] }
        var random = SeededRandom(seed: change.key.rawValue ^ change.counter << 20)
        var filling = ByteWriter(capacity: change.size)
        while filling.bytes.count < change.size - headerSize {
            // Every second word is always the same, so that compression finds something to do.
            filling.uint64(random.next())
            filling.uint64(change.counter)
        }
        let body = filling.bytes.prefix(change.size - headerSize)
        var header = ByteWriter(capacity: change.size)
        header.uint64(change.key.rawValue)
        header.uint64(change.counter)
        header.uint32(UInt32(change.size))
        header.uint32(CRC32C.checksum(Array(body), seed: CRC32C.checksum(header.bytes)))
        return header.bytes + body
    }

    /// The writer's count in a value, or nil if a byte of it is not what a writer put under `key`.
    static func counter(in value: [UInt8], of key: KeyNumber) -> UInt64? {
        guard value.count >= headerSize else { return nil }
        let counter = (0..<8).reduce(0) { $0 | UInt64(value[8 + $1]) << (8 * UInt64($1)) }
        let change = Change(key: key, counter: counter, isDeletion: false, size: value.count)
        return bytes(of: change) == value ? counter : nil
    }
}

/// What one writer does, drawn from a seed.
struct Workload {
    /// Keys of a writer that are written over and over.
    static let hotKeys = 256
    /// Grown keys that a writer lets live.
    static let window: UInt64 = 1000

    let writer: UInt8
    /// The count of the last change.
    private(set) var counter: UInt64
    /// The index of the next grown key.
    private(set) var grown: UInt64
    private var random: SeededRandom

    init(writer: UInt8, counter: UInt64, grown: UInt64, seed: UInt64) {
        self.writer = writer
        self.counter = counter
        self.grown = grown
        random = SeededRandom(seed: seed &+ UInt64(writer) &* 0x1_0000_0001)
    }

    /// The changes of the next batch, no key twice.
    mutating func nextBatch() -> [Change] {
        var changes: [Change] = []
        for _ in 0..<(random.chance(2, in: 3) ? 1 : random.number(in: 2...4)) {
            if random.chance(1, in: 5) {
                add(.grown(writer, grown), isDeletion: false, to: &changes)
                if grown >= Self.window {
                    add(.grown(writer, grown - Self.window), isDeletion: true, to: &changes)
                }
                grown += 1
            } else {
                let key = KeyNumber.hot(writer, random.below(Self.hotKeys))
                add(key, isDeletion: random.chance(1, in: 8), to: &changes)
            }
        }
        return changes
    }

    private mutating func add(_ key: KeyNumber, isDeletion: Bool, to changes: inout [Change]) {
        guard !changes.contains(where: { $0.key == key }) else { return }
        counter += 1
        let size = isDeletion ? 0 : drawSize()
        changes.append(Change(key: key, counter: counter, isDeletion: isDeletion, size: size))
    }

    private mutating func drawSize() -> Int {
        switch random.below(64) {
        case 0: 64 << 10
        case 1...4: 0
        default: random.number(in: Value.headerSize...4096)
        }
    }
}
