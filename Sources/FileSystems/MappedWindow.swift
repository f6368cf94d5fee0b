internal import CSystemCalls

/// Part of a file in memory, so that short appends reach the system without a call.
///
/// What is stored in a shared mapping is in the page cache at once: it outlives the process as what
/// `pwrite` was given does, and `fdatasync` writes it. A record of 400 B costs a tenth of a
/// microsecond so, pages and mapping included, and six times as much by a call.
///
/// Why a full or failing disk does not end the process by SIGBUS:
///
/// - The space of the window is set aside (`fallocate`) and its pages are made before it is used;
///   both fail by a result, and then there is no window.
/// - The kernel may still refuse a store: to a page that it has written back meanwhile it asks the
///   file system again, which may have failed by then, or may store elsewhere what it writes anew;
///   and the file may have been cut. All stores are made by one instruction, and the handler of the
///   signal goes on behind that (`mapping.c`), so that `store` returns false.
/// - Whoever is told so writes the same bytes by a call, whose result says what is wrong with the
///   disk, if it still is. So a mapping never decides about an error.
/// - Not covered is a program that takes the handler away, or blocks the signal on a thread that
///   writes, after a window was made; each window asks for both.
struct MappedWindow: ~Copyable {
    /// Bytes of a window: fewer cost more calls, more a longer pause when it is made (50 µs).
    static let size = 256 << 10
    private static let page = 4 << 10

    private let base: UnsafeMutableRawPointer
    private let count: Int
    /// The offset of its first byte in the file.
    let start: Int

    /// The offset behind its last byte.
    var end: Int { start + count }

    /// The window with the byte at an offset, of a file that will have `limit` bytes at most.
    ///
    /// - Returns: nil if the disk has no room, or the system or the disk no mappings.
    init?(of descriptor: Int32, at offset: Int, limit: Int) {
        start = offset - offset % Self.size
        let end = (min(start + Self.size, limit) + Self.page - 1) / Self.page * Self.page
        count = end - start
        guard offset < end, let base = unsafe starling_map(descriptor, Int64(start), count) else {
            return nil
        }
        unsafe self.base = unsafe base
    }

    deinit { unsafe starling_unmap(base, count) }

    /// Stores bytes at an offset of the file; both ends must lie in the window.
    ///
    /// - Returns: false if the disk did not take all of them.
    func store(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        precondition(offset >= start && bytes.count <= end - offset, "a store beside the window")
        return unsafe starling_copy_to_mapping(
            base + (offset - start),
            bytes.baseAddress,
            bytes.count
        ) == 0
    }
}
