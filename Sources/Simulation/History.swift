import ByteCoding
import Causality
import ClusterPrimitives

/// What clients asked and saw, checked as it happens.
///
/// Of each key it keeps which version is *established* at which level: acknowledged by so many
/// replicas, or read from so many. Whoever asks at a level whose replicas always share one with
/// those must see that version or a newer one, and a write there must get a newer one.
struct History {
    /// What an operation does.
    enum Kind: Equatable {
        case get
        case put
        case delete
        case scan
    }

    /// What is known of an operation's effect.
    enum Effect: UInt8 {
        case open
        case done
        case refused
        case unknown
    }

    /// An operation under way.
    struct Operation {
        var number: Int
        var kind: Kind
        /// Index of the key; of a scan 0.
        var key: Int
        var level: ConsistencyLevel
        /// Nil where the level cannot be met by the keyspace.
        var requirement: Requirement?
        /// What it must see at least; of a scan for each key.
        var floors: [Version]
        /// What a write must come after where one replica forgot what it held.
        var safeFloor = Version.zero
        /// When it began, where the keys hold no lww values.
        var begun = 0
        /// Of an increment its number among those of the key.
        var increment = 0

        var floor: Version { floors.first ?? .zero }
    }

    private struct Record {
        var kind: Kind
        var key: Int
        var effect = Effect.open
        var wasSeen = false
    }

    private let replicas: [Int]
    private var records: [Record] = []
    private(set) var established: [[(requirement: Requirement, version: Version)]]
    /// Who wrote a version of a key; looked up only.
    private var writers: [[Version: Int]]
    private(set) var operations = SimulationReport.Operations()

    init(keys: Int, replicas: [Int]) {
        self.replicas = replicas
        established = Array(repeating: [], count: keys)
        writers = Array(repeating: [:], count: keys)
    }

    /// The bytes of a key.
    static func key(_ index: Int) -> [UInt8] {
        Array("key-\(index)".utf8)
    }

    /// The index of a key; nil for what no client writes.
    static func number(ofKey key: [UInt8]) -> Int? {
        Int(String(decoding: key.dropFirst("key-".utf8.count), as: UTF8.self))
    }

    /// Whether a key is never deleted and never expires.
    static func isLasting(_ key: Int) -> Bool { key % 3 == 0 }

    /// The bytes that a put writes: they tell which put it was.
    static func value(of number: Int, maximumSize: Int) -> [UInt8] {
        var writer = ByteWriter()
        writer.uint64(UInt64(number))
        let hash = Hash64.hash(writer.bytes)
        let filler = Int(hash % UInt64(maximumSize))
        writer.bytes.append(
            contentsOf: repeatElement(UInt8(truncatingIfNeeded: hash), count: filler)
        )
        return writer.bytes
    }

    /// The newest version that a request of these needs must see, also where `spare` replicas
    /// forgot what they held.
    func floor(_ key: Int, _ requirement: Requirement?, spare: Int = 0) -> Version {
        guard let requirement else { return .zero }
        var floor = Version.zero
        for entry in established[key]
        where entry.version > floor
            && entry.requirement.intersects(requirement, of: replicas, spare: spare)
        {
            floor = entry.version
        }
        return floor
    }

    /// Notes that an operation begins.
    mutating func begin(
        _ kind: Kind,
        key: Int,
        level: ConsistencyLevel,
        datacenter: Int
    ) -> Operation {
        let requirement = Requirement(level, in: datacenter, of: replicas)
        let floors =
            kind == .scan
            ? established.indices.map { floor($0, requirement) } : [floor(key, requirement)]
        records.append(Record(kind: kind, key: key))
        return Operation(
            number: records.count - 1,
            kind: kind,
            key: key,
            level: level,
            requirement: requirement,
            floors: floors,
            safeFloor: kind == .scan ? .zero : floor(key, requirement, spare: 1)
        )
    }

    /// Notes what became of an operation.
    mutating func end(_ operation: Operation, _ effect: Effect) -> String? {
        records[operation.number].effect = effect
        switch effect {
        case .done: operations.done += 1
        case .refused: operations.refused += 1
        case .unknown, .open: operations.unknown += 1
        }
        if effect == .refused, records[operation.number].wasSeen {
            return "operation \(operation.number) was refused, but its value was read"
        }
        return nil
    }

    private mutating func establish(_ key: Int, _ requirement: Requirement, _ version: Version) {
        guard version > .zero else { return }
        if let index = established[key].firstIndex(where: { $0.requirement == requirement }) {
            established[key][index].version = max(established[key][index].version, version)
        } else {
            established[key].append((requirement, version))
        }
    }

    /// An acknowledged write that nothing shadows.
    ///
    /// `isBlind`: whether a replica forgot what it held and takes writes, so that of those that
    /// acknowledged this one it may be the only one that had the one before.
    ///
    /// - Returns: what is wrong with it.
    mutating func acknowledged(
        _ operation: Operation,
        _ version: Version,
        isBlind: Bool
    ) -> String? {
        guard let requirement = operation.requirement else {
            return "operation \(operation.number) was acknowledged at \(operation.level), which "
                + "its keyspace cannot meet"
        }
        establish(operation.key, requirement, version)
        if let wrong = noteWriter(operation.number, operation.key, version) { return wrong }
        guard version > (isBlind ? operation.safeFloor : operation.floor) else {
            return "operation \(operation.number) on key-\(operation.key) was acknowledged at "
                + "\(operation.level) with a version below one acknowledged before it began"
        }
        return nil
    }

    private mutating func noteWriter(_ number: Int, _ key: Int, _ version: Version) -> String? {
        if let other = writers[key][version], other != number {
            return "operations \(other) and \(number) on key-\(key) share a version"
        }
        writers[key][version] = number
        return nil
    }

    /// A read's answer.
    ///
    /// - Returns: what is wrong with it.
    mutating func read(
        _ operation: Operation,
        _ version: Version,
        _ value: [UInt8]?,
        maximumSize: Int
    ) -> String? {
        if let value, let wrong = check(value, operation.key, version, maximumSize) { return wrong }
        guard let requirement = operation.requirement else {
            return "a read at \(operation.level) was answered, which its keyspace cannot meet"
        }
        establish(operation.key, requirement, version)
        guard version >= operation.floor else {
            return "operation \(operation.number) read key-\(operation.key) at \(operation.level) "
                + "\(version == .zero ? "as absent" : "at an old version"), though a newer one "
                + "was established before it began"
        }
        return nil
    }

    /// Whether a value that was read was written as it is, and may be seen.
    mutating func check(
        _ value: [UInt8],
        _ key: Int,
        _ version: Version,
        _ maximumSize: Int
    ) -> String? {
        var reader = ByteReader(ByteRange(offset: 0, count: value.count))
        let raw = try? reader.uint64(in: value.span.bytes)
        guard let raw, raw < UInt64(records.count), records[Int(raw)].kind == .put,
            records[Int(raw)].key == key,
            value == Self.value(of: Int(raw), maximumSize: maximumSize)
        else { return "key-\(key) has a value that nobody wrote to it" }
        let number = Int(raw)
        records[number].wasSeen = true
        if records[number].effect == .refused {
            return "the value of operation \(number) was read, though the write was refused"
        }
        return noteWriter(number, key, version)
    }
}
