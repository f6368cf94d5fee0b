/// A part of the log that was on the disk and is no longer what was written.
package struct LogDamage: Equatable, Sendable {
    /// Path of the segment.
    package let file: String
    /// Where the damage begins, in bytes.
    package let offset: Int
    /// How far it reaches; nil if that is unknown, as for a file that is missing.
    package let length: Int?
    /// A number that should have been found: of a record its checksum, else a magic number or size.
    package let expected: UInt64
    /// The number in its place.
    package let found: UInt64
    /// What was expected there.
    package let what: String
    /// The bounds of the prefixes of the lost records, whatever their tree; nil if they may have
    /// any.
    package let prefixes: ClosedRange<UInt64>?

    /// The damage as an error.
    package var error: StorageError {
        .corruption(file: file, offset: offset, expected: expected, found: found, what: what)
    }
}
