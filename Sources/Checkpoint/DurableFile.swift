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
      throw .writing(file, error)
    }
    try move(temporary, to: file)
    published = true
  }

  /// Renames a file or folder and makes that durable; a file at the target is replaced.
  public static func move(_ source: URL, to target: URL) throws(CheckpointError) {
    guard rename(source.path, target.path) == 0 else {
      throw .writing(target)
    }
    try syncFolder(target.deletingLastPathComponent())
  }

  /// Makes a folder and those above it that aren't there, each name durable.
  public static func makeFolder(_ folder: URL, permissions: mode_t) throws(CheckpointError) {
    guard mkdir(folder.path, permissions) != 0 else { return try syncFolder(folder.deletingLastPathComponent()) }
    switch errno {
    case EEXIST:
      var status = stat()
      guard stat(folder.path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
        throw .cannotWrite(file: folder.lastPathComponent, reason: "it is there and no folder")
      }
      // Whoever made it may have been killed before this.
      try syncFolder(folder.deletingLastPathComponent())
    case ENOENT where folder.pathComponents.count > 1:
      try makeFolder(folder.deletingLastPathComponent(), permissions: permissions)
      try makeFolder(folder, permissions: permissions)
    default: throw .writing(folder)
    }
  }

  /// Makes the names in a folder durable.
  public static func syncFolder(_ folder: URL) throws(CheckpointError) {
    let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .writing(folder) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .writing(folder) }
  }
}
