import COpenSSL

/// OpenSSL's queue of errors, which is per thread and must be empty before the next call.
///
/// One thread serves many connections, so an error left behind would be read as the failure of the
/// next one.
enum ErrorQueue {
    /// One failure as OpenSSL recorded it.
    struct Entry {
        let library: Int32
        let reason: Int32
        let text: String
    }

    /// Takes everything out of this thread's queue, the first failure first.
    static func drain() -> [Entry] {
        var entries: [Entry] = []
        while true {
            let code = ERR_get_error()
            guard code != 0 else { return entries }
            let text = ERR_reason_error_string(code).map { String(cString: $0) }
            entries.append(
                Entry(
                    library: ERR_GET_LIB(code),
                    reason: ERR_GET_REASON(code),
                    text: text ?? "error 0x" + String(code, radix: 16)
                )
            )
        }
    }

    /// Empties this thread's queue, losing what is in it on purpose.
    static func clear() {
        ERR_clear_error()
    }

    /// The failure of an operation that only a broken library or lack of memory can cause.
    static func failure(to operation: String) -> TLSError {
        .libraryFailed(operation: operation, reason: drain().first?.text ?? "no reason given")
    }

    /// Refuses a return code that is not 1.
    ///
    /// - Throws: `TLSError.libraryFailed`.
    static func check(_ code: Int32, to operation: String) throws(TLSError) {
        guard code == 1 else { throw failure(to: operation) }
    }
}
