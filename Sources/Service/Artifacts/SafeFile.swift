import Foundation

/// Opens files without following links.
enum SafeFile {
  /// - Parameters:
  ///   - name: Of an entry of the folder, no path.
  ///   - folder: Itself no link.
  /// - Returns: nil where there is no regular file of that name.
  /// - Throws: `POSIXError`, such as where the process has no descriptor left.
  static func open(_ name: String, in folder: URL) throws -> FileHandle? {
    guard !name.contains("/"), !name.contains("\0"), name != "." && name != ".." else { return nil }
    let parent = unsafe Foundation.open(folder.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard parent >= 0 else { return try nilUnlessFault() }
    defer { close(parent) }
    // A named pipe would wait for a writer.
    let descriptor = unsafe openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return try nilUnlessFault() }
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  private static func nilUnlessFault() throws -> FileHandle? {
    switch errno {
    case ENOENT, ENOTDIR, ELOOP, ENXIO, EACCES: return nil
    case let code: throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO)
    }
  }
}
