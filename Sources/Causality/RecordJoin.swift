/// What comes of joining two encoded records of one key.
public enum RecordJoin: Equatable, Sendable {
    /// The record that is there says it all.
    case keepExisting
    /// The one that comes in says it all.
    case takeIncoming
    /// Neither does: a record of its own.
    case joined([UInt8])
}
