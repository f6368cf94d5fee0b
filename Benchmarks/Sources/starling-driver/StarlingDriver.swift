import Foundation
import Workload

/// Lends the storage engine to the workload.
@main
enum StarlingDriver {
    static func main() {
        var functions = workload_engine(
            name: strdup("Starling"),
            open: open,
            close: close,
            begin_session: beginSession,
            end_session: endSession,
            put: put,
            get: get,
            scan: scan,
            index_bytes: indexBytes,
            stored_bytes: storedBytes
        )
        exit(workload_main(CommandLine.argc, CommandLine.unsafeArgv, &functions))
    }
}

// The workload calls these functions from threads of its own. What it hands around as pointers are
// objects retained in `open` and `beginSession`; each is released once, by the function that ends
// its use.

private func open(_ settings: UnsafePointer<workload_settings>?) -> UnsafeMutableRawPointer? {
    guard let settings else { return nil }
    return attempt {
        unsafe Unmanaged.passRetained(try Store(settings.pointee)).toOpaque()
    }
}

private func close(_ store: UnsafeMutableRawPointer?) {
    guard let store else { return }
    unsafe Unmanaged<Store>.fromOpaque(store).takeRetainedValue().close()
}

private func beginSession(_ store: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let store else { return nil }
    let session = unsafe Session(Unmanaged<Store>.fromOpaque(store).takeUnretainedValue())
    return unsafe Unmanaged.passRetained(session).toOpaque()
}

private func endSession(_ session: UnsafeMutableRawPointer?) {
    guard let session else { return }
    unsafe Unmanaged<Session>.fromOpaque(session).release()
}

private func put(
    _ session: UnsafeMutableRawPointer?,
    _ key: UnsafePointer<UInt8>?,
    _ value: UnsafePointer<UInt8>?,
    _ size: Int,
    _ isSynced: Bool
) -> Bool {
    guard let session, let key, let value else { return false }
    return unsafe with(session, key) { session, key in
        let value = unsafe UnsafeRawBufferPointer(start: value, count: size)
        return attempt { try session.put(key, value, isSynced: isSynced) } != nil
    }
}

private func get(
    _ session: UnsafeMutableRawPointer?,
    _ key: UnsafePointer<UInt8>?,
    _ ends: UnsafeMutablePointer<workload_ends>?
) -> workload_lookup {
    guard let session, let key, let ends else { return workload_failed }
    return unsafe with(session, key) { session, key in
        guard let found = attempt({ try session.ends(of: key) }) else { return workload_failed }
        guard let found else { return workload_absent }
        unsafe ends.pointee = found
        return workload_found
    }
}

private func scan(
    _ session: UnsafeMutableRawPointer?,
    _ key: UnsafePointer<UInt8>?,
    _ limit: Int64,
    _ sum: UnsafeMutablePointer<workload_ends>?
) -> Int64 {
    guard let session, let key, let sum else { return -1 }
    return unsafe with(session, key) { session, key in
        attempt { try session.scan(from: key, limit: limit, into: &sum.pointee) } ?? -1
    }
}

private func indexBytes(
    _ store: UnsafeMutableRawPointer?,
    _ entries: UnsafeMutablePointer<Int64>?
) -> Int64 {
    guard let store, let entries else { return 0 }
    let memtables = unsafe Unmanaged<Store>.fromOpaque(store).takeUnretainedValue().memtables
    unsafe entries.pointee = Int64(memtables.entries)
    return Int64(memtables.indexBytes)
}

private func storedBytes(_ store: UnsafeMutableRawPointer?) -> Int64 {
    guard let store else { return 0 }
    return unsafe Int64(Unmanaged<Store>.fromOpaque(store).takeUnretainedValue().logBytes)
}

/// Calls the body with a session and with the sixteen bytes of a key.
private func with<Result>(
    _ session: UnsafeMutableRawPointer,
    _ key: UnsafePointer<UInt8>,
    _ body: (Session, UnsafeRawBufferPointer) -> Result
) -> Result {
    let key = unsafe UnsafeRawBufferPointer(start: key, count: Int(workload_key_size))
    return unsafe Unmanaged<Session>.fromOpaque(session)._withUnsafeGuaranteedRef {
        unsafe body($0, key)
    }
}

/// What the body returns, or nil once the error was told.
func attempt<Success>(_ body: () throws -> Success) -> Success? {
    do {
        return try body()
    } catch {
        FileHandle.standardError.write(Data("Starling: \(error)\n".utf8))
        return nil
    }
}
