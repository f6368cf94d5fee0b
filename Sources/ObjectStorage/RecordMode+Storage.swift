import ByteCoding
import Causality
import StorageEngine

extension RecordMode {
    /// How the engine joins the records of this mode.
    var mergeRule: MergeRule {
        MergeRule(
            name: name,
            newestStampWins: self == .lww,
            droppableFrom: { value in
                (try? summary(ByteRange(offset: 0, count: value.byteCount), of: value))?
                    .droppableFrom
            },
            versionDigest: { value in
                digest(ByteRange(offset: 0, count: value.byteCount), of: value)
            },
            join: { existing, incoming in
                switch join(existing: existing, incoming: incoming) {
                case .keepExisting: .keepExisting
                case .takeIncoming: .takeIncoming
                case .joined(let record): .merged(record)
                }
            }
        )
    }

    /// The name under which the engine remembers the rule.
    private var name: String {
        switch self {
        // On disk: never rename.
        case .lww: "lww"
        case .siblings: "siblings"
        case .counter: "counter"
        case .set: "set"
        case .map: "map"
        case .lastWriterSet: "lww-set"
        }
    }

    /// The greatest version in a record; zero for what is none.
    func version(of record: [UInt8]) -> Version {
        let range = ByteRange(offset: 0, count: record.count)
        return (try? summary(range, of: record.span.bytes))?.newestVersion ?? .zero
    }
}
