/// The bounds on what a client may ask for, on by default and named in each refusal.
public enum Limits {
    /// Bytes of a key: 1 to 1,024.
    public static let keySize = 1...1024
    /// Bytes of a value by default: 1 MiB.
    public static let defaultValueSize = 1024 * 1024
    /// Bytes of a value that no configuration can exceed: 8 MiB.
    public static let maximumValueSize = 8 * 1024 * 1024
    /// Bytes of a record of several values, of a set or of a map, that a write may make: 4 MiB.
    ///
    /// Joins may make it longer: what up to sixteen replicas took that never met fits a frame between
    /// nodes together, though an answer to a client holds no more than two of them.
    public static let maximumRecordSize = 4 * 1024 * 1024
    /// Bytes of a name (node, datacenter, rack, keyspace, cluster).
    public static let nameSize = 1...48
    /// Replicas of one key over all datacenters.
    public static let replicas = 16
    /// Datacenters of a cluster.
    public static let datacenters = 8
    /// Members of a cluster.
    public static let members = 1024
    /// Keyspaces of a cluster.
    public static let keyspaces = 256
    /// Tokens of a member.
    public static let tokensPerMember = 1...256

    /// Whether a name is made of letters, digits, `-`, `_` and `.`, begins with a letter or a
    /// digit, and keeps to its size.
    public static func isName(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard nameSize.contains(bytes.count), let first = bytes.first else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        }
        return isAlphanumeric(first)
            && bytes.allSatisfy { isAlphanumeric($0) || $0 == 45 || $0 == 46 || $0 == 95 }
    }
}
