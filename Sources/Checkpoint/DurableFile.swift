import Foundation

/// Files that are there in full or not at all after a crash.
public enum DurableFile {
  /// Writes beside the target (its name and `.tmp`), fsyncs, renames, fsyncs the folder. One writer a target at a time.
  ///
  /// - Throws: `CheckpointError.cannotWrite`.
  public static func write(_ data: Data, to file: URL) throws(CheckpointError) {
    let temporary = file.appendingPathExtension("tmp")
    var published = false
    defer { if !published { unlink(temporary.path) } }
    do {
      try data.write(to: temporary)
      let handle = try FileHandle(forWritingTo: temporary)
      try handle.synchronize()
      try handle.close()
    } catch {
      throw .cannotWrite(file: file.lastPathComponent, reason: error.localizedDescription)
    }
    try move(temporary, to: file)
    published = true
  }

  /// Renames a file or folder and makes that durable; a file at the target is replaced.
  public static func move(_ source: URL, to target: URL) throws(CheckpointError) {
    guard rename(source.path, target.path) == 0 else {
      throw .cannotWrite(file: target.lastPathComponent, reason: String(cString: strerror(errno)))
    }
    try syncFolder(target.deletingLastPathComponent())
  }

  /// Makes the names in a folder durable.
  public static func syncFolder(_ folder: URL) throws(CheckpointError) {
    let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotWrite(file: folder.lastPathComponent, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .cannotWrite(file: folder.lastPathComponent, reason: String(cString: strerror(errno))) }
  }
}
