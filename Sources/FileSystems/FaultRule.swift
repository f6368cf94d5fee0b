/// Which calls to a file system go wrong, and how.
public struct FaultRule: Sendable {
    /// How a call goes wrong.
    public enum Effect: Equatable, Sendable {
        /// The call does nothing and fails, as on a broken device (EIO).
        case inputOutputError
        /// The call does nothing and fails, as on a full disk (ENOSPC).
        case noSpace
        /// The first bytes are appended, then the call fails as on a full disk; other calls do
        /// nothing and fail.
        case shortWrite(bytes: Int)
        /// The bytes read come with this bit turned, counted from the first; other calls go well.
        case flipBit(Int)
        /// A sync of a file or directory reports success and does nothing, as on a device that
        /// promises what is only in its cache; other calls go well.
        case lyingSync
        /// The bytes appended land this many bytes too early (too late if negative), over what is
        /// there; those that would land before the first byte of the file are lost.
        ///
        /// The right place keeps what it has, or gets zeros if the file ended before it. The next
        /// append goes on behind it as if nothing were wrong. Other calls go well.
        case misdirectedWrite(by: Int)
        /// The bytes appended are written with this bit turned, counted from the first; other
        /// calls go well.
        case flipBitOnWrite(Int)
    }

    /// The calls that count.
    public var operation: FileSystemError.Operation
    /// The calls count whose path contains this; all if empty.
    public var pathPart: String
    /// The first call that goes wrong, counted from 1 among those that count.
    public var first: Int
    /// How many calls in a row go wrong.
    public var times: Int
    /// How they go wrong.
    public var effect: Effect

    /// A rule; without `times` it holds for ever once it has begun.
    public init(
        _ operation: FileSystemError.Operation,
        pathContains pathPart: String = "",
        first: Int = 1,
        times: Int = .max,
        _ effect: Effect
    ) {
        self.operation = operation
        self.pathPart = pathPart
        self.first = first
        self.times = times
        self.effect = effect
    }
}
