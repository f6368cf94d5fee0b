/// Which tables are compacted together: runs of like size, once there are enough of them.
///
/// The buckets are those of Cassandra's size-tiered strategy. Each flush makes a run; four runs of
/// like size become one of four times the size, so that an entry is written about log₄ n times
/// over n flushes, and a key is in at most three runs of each size. Unlike there a large
/// compaction is cut into ranges of keys, done apart and side by side, so that none needs twice
/// the room of its inputs; until all of them are done its runs count for no other bucket.
public struct SizeTieredPolicy: Sendable {
    /// Runs of like size from which on they are merged, at least 2; 4.
    ///
    /// Fewer make reads cheaper and writes dearer.
    public var minimumTables = 4
    /// Runs that are merged at a time at most, at least `minimumTables`; 32.
    ///
    /// Each costs a buffer while it is read.
    public var maximumTables = 32
    /// A run is of like size from this share of the average of a bucket; 0.5.
    public var bucketLow = 0.5
    /// A run is of like size up to this multiple of the average of a bucket; 1.5.
    public var bucketHigh = 1.5
    /// Runs of fewer bytes count as of like size, and parts of fewer are rewritten with their
    /// neighbours rather than moved; 4 MiB.
    ///
    /// More leaves fewer small files, at the price of rewriting small trees more often.
    public var minimumSize = 4 << 20
    /// Bytes beyond which a compaction is cut at a part's border; 256 MiB.
    ///
    /// Four fragments. Less frees room on the disk sooner; more cuts fewer tables in two. What
    /// lies between two borders is never cut, so a compaction may read more.
    public var maximumCompactionBytes = 256 << 20
    /// Share of entries that could be left out from which on a part is rewritten alone; 0.2.
    public var droppableRatio = 0.2
    /// Compactions of a tree at a time; 2.
    public var maximumParallel = 2

    /// The defaults.
    public init() {}

    /// What to do next, or nil if nothing need be or may be done now.
    ///
    /// Runs of the smallest average first, whether a bucket or the next range of one begun, so
    /// that a long compaction does not let small runs pile up; parts with much to leave out only
    /// when there is nothing of that.
    package func choose(_ picture: TreePicture) -> CompactionChoice? {
        guard picture.running.count < maximumParallel else { return nil }
        let sizes = picture.runSizes
        let begun = picture.unfinished
        var groups: [(average: Double, orders: [UInt64])] = []
        for orders in begun {
            let bytes = orders.reduce(0) { $0 + (sizes[$1] ?? 0) }
            groups.append((Double(bytes) / Double(orders.count), orders))
        }
        for bucket in buckets(of: picture, sizes: sizes, besides: begun) {
            let orders = bucket.prefix(maximumTables).map(\.order)
            let bytes = bucket.prefix(maximumTables).reduce(0) { $0 + $1.bytes }
            groups.append((Double(bytes) / Double(orders.count), orders))
        }
        groups.sort { ($0.average, $0.orders.max() ?? 0) < ($1.average, $1.orders.max() ?? 0) }
        for group in groups {
            let choice = nextRange(of: group.orders, in: picture, reason: .sizeTier)
            if let choice { return choice }
        }
        return chooseDroppable(picture, besides: begun)
    }

    /// The next range of making all runs one.
    ///
    /// - Parameters:
    ///   - picture: the tree.
    ///   - newest: the order of the newest run to take part. It must stay the same over the ranges
    ///     of one request, or flushes in the meantime begin it anew.
    /// - Returns: nil if there is one run, or everything that is left is being done.
    package func chooseAll(
        _ picture: TreePicture,
        through newest: UInt64 = .max
    ) -> CompactionChoice? {
        guard picture.running.count < maximumParallel else { return nil }
        let orders = picture.runSizes.keys.filter { $0 <= newest }
        guard orders.count > 1 else { return nil }
        return nextRange(of: orders, in: picture, reason: .manual)
    }

    /// The runs of like size, smallest first, of which there are enough.
    private func buckets(
        of picture: TreePicture,
        sizes: [UInt64: Int],
        besides begun: [[UInt64]]
    ) -> [[(order: UInt64, bytes: Int)]] {
        let taken = Set(begun.joined()).union(picture.running.flatMap(\.orders))
        let runs = sizes.filter { !taken.contains($0.key) }
            .map { (order: $0.key, bytes: $0.value) }
            .sorted { ($0.bytes, $0.order) < ($1.bytes, $1.order) }
        var buckets: [[(order: UInt64, bytes: Int)]] = []
        var sum = 0.0
        for run in runs {
            let size = Double(run.bytes)
            let average = buckets.last.map { sum / Double($0.count) }
            if let average, isLike(size, average: average) {
                buckets[buckets.count - 1].append(run)
                sum += size
            } else {
                buckets.append([run])
                sum = size
            }
        }
        return buckets.filter { $0.count >= max(minimumTables, 2) }
    }

    private func isLike(_ size: Double, average: Double) -> Bool {
        let smallest = Double(minimumSize)
        if size < smallest, average < smallest { return true }
        return size >= bucketLow * average && size <= bucketHigh * average
    }

    /// The part with the most bytes to leave out.
    private func chooseDroppable(
        _ picture: TreePicture,
        besides begun: [[UInt64]]
    ) -> CompactionChoice? {
        let taken = Set(begun.joined()).union(picture.running.flatMap(\.orders))
        func gain(_ part: TreePicture.Part) -> Double { part.tombstoneRatio * Double(part.bytes) }
        let best =
            picture.parts
            .filter { part in
                part.mayPurge && !part.isBusy && part.tombstoneRatio >= droppableRatio
                    && !taken.contains(part.order)
            }
            .max { (gain($0), $1.number) < (gain($1), $0.number) }
        guard let best else { return nil }
        return CompactionChoice(
            inputs: [.init(best)],
            lower: best.lower,
            upper: best.end,
            order: best.order,
            orders: [best.order],
            moves: [],
            bytes: best.bytes,
            reason: .droppable
        )
    }
}
