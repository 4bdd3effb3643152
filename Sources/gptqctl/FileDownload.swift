import Crypto
import Foundation
import JobModel

/// Brings one file of an artifact to disk, in parts of constant size, so that it can be gone on with.
package struct FileDownload {
  private let client: APIClient
  private let path: String
  private let file: ArtifactManifest.File
  private let folder: URL
  private let partSize: Int

  /// - Parameters:
  ///   - path: Of the artifact's files on the server, with a slash at its end.
  ///   - folder: Where the file goes.
  ///   - partSize: Bytes of one request.
  package init(client: APIClient, path: String, file: ArtifactManifest.File, folder: URL, partSize: Int = 16 << 20) {
    self.client = client
    self.path = path
    self.file = file
    self.folder = folder
    self.partSize = partSize
  }

  /// - Parameter progress: Told the bytes that are there.
  /// - Throws: `ClientError`; with `.wrongBytes`, the bad file is gone.
  package func run(progress: (Int) -> Void) async throws {
    guard !file.path.contains("/"), !file.path.contains("\0"), ![".", "..", ""].contains(file.path) else {
      throw ClientError.file(path: file.path, reason: "the server's manifest names a file outside the folder")
    }
    let target = folder.appending(component: file.path)
    if (try? Self.sha256(of: target)) == file.sha256 { return progress(file.size) }
    let partial = target.appendingPathExtension("part")
    do {
      if !FileManager.default.fileExists(atPath: partial.path) { try Data().write(to: partial) }
      try await fill(partial, progress: progress)
      guard try Self.sha256(of: partial) == file.sha256 else {
        try FileManager.default.removeItem(at: partial)
        throw ClientError.wrongBytes(file: file.path)
      }
      guard unsafe rename(partial.path, target.path) == 0 else {
        throw ClientError.file(path: target.path, reason: unsafe String(cString: strerror(errno)))
      }
    } catch let error as ClientError {
      throw error
    } catch {
      throw ClientError.file(path: target.path, reason: error.localizedDescription)
    }
  }

  /// Adds what is missing to the partial file.
  private func fill(_ partial: URL, progress: (Int) -> Void) async throws {
    let handle = try FileHandle(forUpdating: partial)
    defer { try? handle.close() }
    var offset = Int(try handle.seekToEnd())
    if offset > file.size {
      try handle.truncate(atOffset: 0)
      offset = 0
    }
    let name = file.path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? file.path
    while offset < file.size {
      let last = min(offset + partSize, file.size) - 1
      let answer = try await client.send(
        "GET", path + name, headers: ["Range": "bytes=\(offset)-\(last)", "If-Range": "\"\(file.sha256)\"", "Accept-Encoding": "identity"])
      guard answer.status == 206, answer.body.count == last - offset + 1 else {
        throw ClientError.unexpectedAnswer(status: answer.status, path: path + name)
      }
      try handle.write(contentsOf: answer.body)
      offset += answer.body.count
      progress(offset)
    }
  }

  private static func sha256(of url: URL) throws -> String {
    let handle = try FileHandle(forReadingFrom: url)
    defer { try? handle.close() }
    var hash = SHA256()
    while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty { hash.update(data: chunk) }
    return hash.finalize().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}
