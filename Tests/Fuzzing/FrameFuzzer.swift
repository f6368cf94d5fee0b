import FrameFuzzing

/// The entry point that libFuzzer calls; see README.md beside this file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrames(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
    FrameFuzzing.exercise(bytes)
    return 0
}
