// The types of other modules that stand in this library's signatures.
@_exported public import ByteCoding
@_exported public import FileSystems
