// The types of other modules that signatures of this library name.
@_exported public import enum ClusterPrimitives.ConsistencyLevel
@_exported public import enum ClusterPrimitives.StoreUpkeep
@_exported public import struct ClusterPrimitives.Endpoint
@_exported public import struct ClusterPrimitives.StoreUpkeepReport
@_exported public import struct ClusterPrimitives.WallClockTime
