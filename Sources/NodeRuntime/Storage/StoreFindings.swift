import Logging
import ObjectStorage
import StorageEngine

/// What an operator is told of the store's files when it opens.
enum StoreFindings {
    /// Lines of each kind at most; the last says how many are left out.
    private static let maximumLines = 20

    /// Logs damage, and files that are none of the store's.
    static func log(_ store: ReplicaStore, _ logger: Logger) {
        for damage in store.damage.prefix(maximumLines) {
            logger.error(
                """
                the store is damaged: what was lost is unknown here, and other replicas answer for \
                it; run `starling scrub` on this node, or replace it
                """,
                metadata: metadata(of: damage)
            )
        }
        for file in store.unknownFiles.prefix(maximumLines) {
            logger.warning(
                "a file in the store's directory is none of its own and stays; remove it if unneeded",
                metadata: ["file": "\(file)"]
            )
        }
        let left =
            max(0, store.damage.count - maximumLines)
            + max(0, store.unknownFiles.count - maximumLines)
        if left > 0 {
            logger.warning("more was found in the store's files", metadata: ["count": "\(left)"])
        }
    }

    private static func metadata(of damage: StorageError) -> Logger.Metadata {
        guard case .corruption(let file, let offset, let expected, let found, let what) = damage
        else { return ["reason": "\(damage)"] }
        return [
            "file": "\(file)", "offset": "\(offset)", "expected": "\(expected)",
            "found": "\(found)", "reason": "\(what)",
        ]
    }
}
