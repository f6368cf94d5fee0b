package import Causality
package import Partitioning

extension ConflictMode {
    /// What the records of such a keyspace are.
    package var records: RecordMode {
        switch self {
        case .lww: .lww
        case .siblings: .siblings
        case .counter, .growOnlyCounter: .counter
        case .set: .set
        case .map: .map
        case .lastWriterSet: .lastWriterSet
        }
    }
}
