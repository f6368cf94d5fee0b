import COpenSSL

/// The one owner of an OpenSSL object; frees it at the end of its scope.
struct Handle: ~Copyable {
    /// The object, valid as long as the handle lives.
    let pointer: OpaquePointer
    private let release: (OpaquePointer?) -> Void

    /// Takes ownership of what an OpenSSL call returned.
    ///
    /// - Throws: `TLSError.libraryFailed` when the call returned nothing.
    init(
        _ pointer: OpaquePointer?,
        to operation: String,
        release: @escaping (OpaquePointer?) -> Void
    ) throws(TLSError) {
        guard let pointer else { throw ErrorQueue.failure(to: operation) }
        self.pointer = pointer
        self.release = release
    }

    deinit {
        release(pointer)
    }

    /// A BIO that collects what is written to it.
    static func memory() throws(TLSError) -> Handle {
        try Handle(BIO_new(BIO_s_mem()), to: "make a memory BIO") { BIO_free_all($0) }
    }

    /// A BIO that holds a copy of the given bytes.
    static func memory(holding bytes: [UInt8]) throws(TLSError) -> Handle {
        let bio = try memory()
        if !bytes.isEmpty {
            // Callers bound their input to one mebibyte, so the count fits.
            let written = BIO_write(bio.pointer, bytes, Int32(clamping: bytes.count))
            guard written == bytes.count else { throw ErrorQueue.failure(to: "fill a memory BIO") }
        }
        return bio
    }

    /// The bytes collected in a memory BIO.
    func memoryContents() -> [UInt8] {
        var start: UnsafeMutablePointer<CChar>?
        let count = starling_BIO_get_mem_data(pointer, &start)
        guard let start, count > 0 else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }
}
