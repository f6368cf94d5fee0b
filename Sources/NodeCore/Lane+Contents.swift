import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives

/// What a reader sees of a record.
extension Lane {
    /// What a reader at this time sees, and what it has seen then; nil for what is no record.
    func contents(
        of record: [UInt8],
        _ mode: RecordMode,
        at wall: WallClockTime
    ) -> (contents: KeyContents, context: CausalContext)? {
        let bytes = record.span.bytes
        let all = ByteRange(offset: 0, count: record.count)
        do {
            switch mode {
            case .lww:
                guard !record.isEmpty else { return (.values([]), CausalContext(version: .zero)) }
                let stored = try StoredRecord(decoding: all, of: bytes)
                let context = CausalContext(version: stored.version)
                if stored.isAbsent(at: wall) { return (.values([]), context) }
                let value = VersionedValue(
                    version: stored.version,
                    expiry: stored.expiry,
                    bytes: bytes.array(stored.value)
                )
                return (.values([value]), context)
            case .siblings:
                guard !record.isEmpty else {
                    return (.values([]), CausalContext(siblings: VersionVector()))
                }
                let set = try SiblingSet(decoding: all, of: bytes)
                var values: [VersionedValue] = []
                set.forEachLive(at: wall, in: bytes) { sibling in
                    values.append(
                        VersionedValue(
                            version: sibling.version,
                            expiry: sibling.expiry,
                            bytes: bytes.array(sibling.value)
                        )
                    )
                }
                values.sort { $0.version < $1.version }
                return (.values(values), CausalContext(siblings: set.context(in: bytes)))
            case .counter:
                let state = try record.isEmpty ? CounterState() : CounterState(decoding: bytes)
                return (.counter(state.value), CausalContext(counter: state.newestVersion))
            case .set:
                let state =
                    try record.isEmpty ? ObservedRemoveSet() : ObservedRemoveSet(decoding: bytes)
                return (.set(state.elements), CausalContext(set: state.history))
            case .map:
                let state = try record.isEmpty ? MapState() : MapState(decoding: bytes)
                return (.map(Self.entries(of: state)), CausalContext(map: state.history))
            case .lastWriterSet:
                let state = try record.isEmpty ? LastWriterSet() : LastWriterSet(decoding: bytes)
                return (
                    .set(state.elements), CausalContext(lastWriterSet: state.newestVersion)
                )
            }
        } catch {
            return nil
        }
    }

    private static func entries(of state: MapState) -> [MapEntry] {
        state.fields.map { field in
            let contents: MapEntry.Contents =
                switch field.kind {
                case .register: .register(state.register(field.name) ?? [])
                case .counter: .counter(state.counter(field.name) ?? 0)
                case .set: .set(state.set(field.name))
                case .lastWriterSet: .lastWriterSet(state.lastWriterSet(field.name))
                }
            return MapEntry(name: field.name, contents: contents)
        }
    }

    /// The token of a context.
    func token(_ context: CausalContext, _ keyspace: KeyspaceNumber, _ key: RawSpan) -> [UInt8] {
        // Room for a history of three writers.
        var writer = ByteWriter(capacity: 96)
        contexts.encode(context, keyspace: keyspace, key: key, into: &writer)
        return writer.bytes
    }
}
