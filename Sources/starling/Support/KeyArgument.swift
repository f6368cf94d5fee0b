import ArgumentParser

/// A keyspace and a key, written `KEYSPACE/KEY`; the key may hold further slashes.
struct KeyArgument: ExpressibleByArgument, Equatable {
    /// The keyspace's name.
    var keyspace: String
    /// The key.
    var key: [UInt8]

    /// Reads `KEYSPACE/KEY`; nil without a slash or a keyspace.
    init?(argument: String) {
        guard let slash = argument.firstIndex(of: "/"), slash != argument.startIndex else {
            return nil
        }
        keyspace = String(argument[..<slash])
        key = Array(argument[argument.index(after: slash)...].utf8)
    }

    /// As it was written, for messages.
    var text: String { keyspace + "/" + String(decoding: key, as: UTF8.self) }
}
