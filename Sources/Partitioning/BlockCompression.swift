/// How the blocks of a keyspace's tables are stored on every replica.
package enum BlockCompression: Hashable, Sendable {
    /// As they are.
    case none
    /// Through zlib, at a level of `levels`.
    case zlib(level: Int)

    /// The levels of zlib, from fast to small.
    package static let levels = 1...9
    /// What can be written in place of an unknown text, for messages.
    package static let choices = "none, zlib (level 1) or zlib:1 to zlib:9"
}

extension BlockCompression: CustomStringConvertible {
    /// The compression of `none`, `zlib` (level 1) or `zlib:6`; nil for any other text.
    package init?(_ text: String) {
        switch text {
        case "none": self = .none
        case "zlib": self = .zlib(level: 1)
        default:
            let figures = text.dropFirst(5)
            guard text.hasPrefix("zlib:"), figures.utf8.count == 1, let level = Int(figures),
                Self.levels.contains(level)
            else { return nil }
            self = .zlib(level: level)
        }
    }

    /// As it is written: `none`, `zlib` or `zlib:6`.
    package var description: String {
        switch self {
        case .none: "none"
        case .zlib(1): "zlib"
        case .zlib(let level): "zlib:\(level)"
        }
    }
}

extension BlockCompression {
    /// The compression of a number; nil when there is none.
    package init?(code: UInt8) {
        if code == 0 {
            self = .none
        } else if Self.levels.contains(Int(code)) {
            self = .zlib(level: Int(code))
        } else {
            return nil
        }
    }

    /// Its number: 0 for none, else the level of zlib.
    // On disk and on the wire: never renumber.
    package var code: UInt8 {
        switch self {
        case .none: 0
        case .zlib(let level): UInt8(clamping: level)
        }
    }
}
