import Crypto
import Foundation
import JobModel

/// Brings one file to the server, in parts of constant size; goes on where an earlier upload was cut off.
package struct FileUpload: Sendable {
  package enum Outcome: Sendable {
    case uploaded
    /// The server has these bytes already.
    case present
  }

  /// What is done just now.
  package enum Step: Sendable {
    case hashing(Int)
    case sending(Int)
    case waiting(String)
  }

  private let client: APIClient
  private let path: String
  private let file: URL
  private let partSize: Int
  private let patience: Duration

  /// - Parameters:
  ///   - path: Of the file on the server.
  ///   - partSize: Bytes of one request.
  ///   - patience: For a server that can't be reached or takes nothing just now.
  package init(client: APIClient, path: String, file: URL, partSize: Int = 8 << 20, patience: Duration = .seconds(600)) {
    (self.client, self.path, self.file, self.partSize, self.patience) = (client, path, file, partSize, patience)
  }

  /// What the server has of the file.
  private struct Remote: Decodable {
    var size: Int?
    var sha256: String?
    var upload: UploadProgress?

    func isWhole(_ digest: Digest) -> Bool { upload == nil && size == digest.size && sha256 == digest.hexadecimal }
  }

  private struct Digest {
    let size: Int
    let bytes: SHA256.Digest
    var hexadecimal: String { bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
    var field: String { "sha-256=:\(Data(bytes).base64EncodedString()):" }
  }

  /// - Parameter progress: Told how far it is, in bytes.
  /// - Throws: `ClientError`.
  package func run(progress: @Sendable (Step) -> Void) async throws -> Outcome {
    do {
      let handle = try FileHandle(forReadingFrom: file)
      defer { try? handle.close() }
      let digest = try Self.digest(of: handle, progress)
      return try await send(handle, digest, progress)
    } catch let error as ClientError {
      throw error
    } catch {
      throw ClientError.file(path: file.path, reason: error.localizedDescription)
    }
  }

  private func send(_ handle: FileHandle, _ digest: Digest, _ progress: @Sendable (Step) -> Void) async throws -> Outcome {
    var remote = try await patiently(progress) { try await self.remote() }
    if remote.isWhole(digest) { return .present }
    var last = -1
    while true {
      let offset = offset(remote, digest)
      // The server's word about where to go on leads nowhere.
      guard offset != last else { throw ClientError.unexpectedAnswer(status: 409, path: path) }
      last = offset
      progress(.sending(offset))
      try handle.seek(toOffset: UInt64(offset))
      let part = try handle.read(upToCount: partSize) ?? Data()
      remote = try await patiently(progress) {
        do {
          return try await put(part, at: offset, digest)
        } catch ClientError.unreachable(let url, let reason) {
          // The part may have come or not.
          let now = try await self.remote()
          guard !now.isWhole(digest), now.upload?.received ?? 0 == offset else { return now }
          throw ClientError.unreachable(url: url, reason: reason)
        } catch ClientError.refused(let problem) where problem.code == .uploadOffset {
          return try await self.remote()
        }
      }
      if remote.isWhole(digest) {
        progress(.sending(digest.size))
        return .uploaded
      }
    }
  }

  /// Where to go on.
  private func offset(_ remote: Remote, _ digest: Digest) -> Int {
    guard let upload = remote.upload, upload.size == digest.size, upload.sha256 == digest.hexadecimal else { return 0 }
    // All came, and the end of that was lost: the last part once more.
    return upload.received < digest.size ? upload.received : max(0, digest.size - partSize)
  }

  /// - Returns: What the server has afterwards.
  private func put(_ part: Data, at offset: Int, _ digest: Digest) async throws -> Remote {
    var headers = ["Repr-Digest": digest.field, "Content-Type": "application/octet-stream"]
    if digest.size > 0 { headers["Content-Range"] = "bytes \(offset)-\(offset + part.count - 1)/\(digest.size)" }
    let answer = try await client.send("PUT", path, body: part, headers: headers)
    return try APICoding.decode(Remote.self, from: answer.body)
  }

  private func remote() async throws -> Remote {
    let answer = try await client.send("GET", path, allowing: [404])
    if answer.status == 404 {
      // Not a server that has no such route.
      guard let problem = try? APICoding.decode(Problem.self, from: answer.body), problem.code != .routeNotFound else {
        throw ClientError.unexpectedAnswer(status: 404, path: path)
      }
      return Remote()
    }
    return try APICoding.decode(Remote.self, from: answer.body)
  }

  /// Tries again where the server can't be reached, or has too much to do.
  private func patiently<Result>(_ progress: @Sendable (Step) -> Void, _ body: () async throws -> Result) async throws -> Result {
    var pause = Duration.milliseconds(250)
    let deadline = ContinuousClock.now + patience
    while true {
      do {
        return try await body()
      } catch let error as ClientError {
        guard error.mayPass, ContinuousClock.now < deadline else { throw error }
        progress(.waiting("\(error)"))
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .seconds(5))
      }
    }
  }

  private static func digest(of handle: FileHandle, _ progress: @Sendable (Step) -> Void) throws -> Digest {
    var (hash, size) = (SHA256(), 0)
    while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
      hash.update(data: chunk)
      size += chunk.count
      if size % (64 << 20) == 0 { progress(.hashing(size)) }
    }
    return Digest(size: size, bytes: hash.finalize())
  }
}

extension ClientError {
  /// Another try may succeed without anything being changed.
  fileprivate var mayPass: Bool {
    switch self {
    case .unreachable: true
    case .refused(let problem): [.uploadInProgress, .tooManyRequests, .unavailable].contains(problem.code) || problem.status == 503
    default: false
    }
  }
}
