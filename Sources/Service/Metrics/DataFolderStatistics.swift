import Foundation

/// Room that the daemon's files take, and that is left.
struct DataFolderStatistics: Sendable {
  /// Bytes, by what they are for.
  let bytes: [(kind: String, bytes: Int)]

  /// Looks at every file; for a thread that may block.
  init(_ folder: DataFolder) { bytes = folder.sizes }

  func write(to exposition: inout Exposition) { exposition.add(.dataBytes, bytes.map { ([$0.kind], Double($0.bytes)) }) }
}

/// The database's files and the disk that they are on.
struct DiskStatistics: Sendable {
  let databaseBytes: Int
  let walBytes: Int
  let freeBytes: Int
  let sizeBytes: Int

  init(_ folder: DataFolder) {
    databaseBytes = folder.databaseSize("")
    walBytes = folder.databaseSize("-wal")
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.url.path)
    freeBytes = (attributes?[.systemFreeSize] as? NSNumber)?.intValue ?? 0
    sizeBytes = (attributes?[.systemSize] as? NSNumber)?.intValue ?? 0
  }

  func write(to exposition: inout Exposition) {
    exposition.add(.databaseBytes, Double(databaseBytes))
    exposition.add(.walBytes, Double(walBytes))
    exposition.add(.diskFree, Double(freeBytes))
    exposition.add(.diskSize, Double(sizeBytes))
  }
}
