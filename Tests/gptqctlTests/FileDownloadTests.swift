import Foundation
import JobModel
import Testing
import gptqctl

@Suite struct FileDownloadTests {
  /// 0, 1, … 250, 0, … and its SHA-256 as `sha256sum` tells it.
  private static let content = Data((0..<1000).map { UInt8($0 % 251) })
  private static let hash = "4e4c294b331f7a2099a379bec34b9f9fc03dc46ab465d998f4d683da53487e6d"
  private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

  private let folder: URL
  private let server: LocalServer

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(component: "gptqctl-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    server = try LocalServer(Self.answer)
  }

  /// The requested range of the content.
  @Sendable private static func answer(_ request: LocalServer.Request) -> LocalServer.Answer {
    let bounds = request.headers["range"]?.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) } ?? []
    guard bounds.count == 2, request.headers["if-range"] == "\"\(hash)\"" else { return .init(body: content) }
    return .init(status: 206, body: content[bounds[0]...bounds[1]])
  }

  private func download(
    _ name: String = "model.safetensors", size: Int = content.count, hash: String = hash, partSize: Int = 300,
    from server: LocalServer? = nil
  ) throws -> FileDownload {
    FileDownload(
      client: try APIClient(url: (server ?? self.server).url, token: nil), path: "/files/",
      file: ArtifactManifest.File(path: name, size: size, sha256: hash), folder: folder, partSize: partSize)
  }

  private func path(_ name: String) -> URL { folder.appending(component: name) }
  private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }

  private func cleanUp() { try? FileManager.default.removeItem(at: folder) }

  @Test("A file comes in parts that cover it exactly")
  func parts() async throws {
    defer { cleanUp() }
    var seen: [Int] = []
    try await download().run { seen.append($0) }
    #expect(seen == [300, 600, 900, 1000])
    #expect(server.requests.map { $0.headers["range"] } == ["bytes=0-299", "bytes=300-599", "bytes=600-899", "bytes=900-999"])
    #expect(try Data(contentsOf: path("model.safetensors")) == Self.content)
    #expect(try names() == ["model.safetensors"])
  }

  @Test(
    "What is there of a file isn't fetched again",
    arguments: [(1, "bytes=1-999"), (999, "bytes=999-999"), (1000, nil), (1001, "bytes=0-999"), (5000, "bytes=0-999")] as [(Int, String?)])
  func resumes(present: Int, range: String?) async throws {
    defer { cleanUp() }
    try (Self.content + Data(count: 4000)).prefix(present).write(to: path("model.safetensors.part"))
    try await download(partSize: 5000).run { _ in }
    #expect(server.requests.map { $0.headers["range"] } == (range.map { [$0] } ?? []))
    #expect(try Data(contentsOf: path("model.safetensors")) == Self.content)
    #expect(try names() == ["model.safetensors"])
  }

  @Test("A file that is there isn't transferred")
  func skipsWhatIsThere() async throws {
    defer { cleanUp() }
    try Self.content.write(to: path("model.safetensors"))
    var seen: [Int] = []
    try await download().run { seen.append($0) }
    #expect(seen == [1000])
    #expect(server.requests.isEmpty)
  }

  @Test("A file with other bytes is replaced")
  func replacesOtherBytes() async throws {
    defer { cleanUp() }
    try Data("old".utf8).write(to: path("model.safetensors"))
    try await download().run { _ in }
    #expect(try Data(contentsOf: path("model.safetensors")) == Self.content)
  }

  @Test("An empty file needs no request")
  func emptyFile() async throws {
    defer { cleanUp() }
    try await download("empty.bin", size: 0, hash: Self.emptyHash).run { _ in }
    #expect(server.requests.isEmpty)
    #expect(try Data(contentsOf: path("empty.bin")).isEmpty)
  }

  @Test("Wrong bytes are not kept, and the next try starts anew", arguments: [1, 500, 1000])
  func wrongBytes(present: Int) async throws {
    defer { cleanUp() }
    try Data(repeating: 255, count: present).write(to: path("model.safetensors.part"))
    try Data("old".utf8).write(to: path("model.safetensors"))
    let error = await #expect(throws: ClientError.self) { try await download().run { _ in } }
    guard case .wrongBytes("model.safetensors") = error else {
      Issue.record("\(error.map(\.description) ?? "no error")")
      return
    }
    #expect(try names() == ["model.safetensors"])
    try await download().run { _ in }
    #expect(try Data(contentsOf: path("model.safetensors")) == Self.content)
  }

  @Test(
    "An answer that isn't the range asked for is refused, and what is there stays",
    arguments: [
      LocalServer.Answer(status: 200, body: content), .init(status: 206, body: content.prefix(299)),
      .init(status: 206, body: content.prefix(301)), .init(status: 206), .init(status: 404), .init(status: 500, body: Data("oops".utf8)),
    ])
  func otherAnswers(answer: LocalServer.Answer) async throws {
    defer { cleanUp() }
    try Self.content.prefix(100).write(to: path("model.safetensors.part"))
    let error = await #expect(throws: ClientError.self) {
      try await download(from: LocalServer { _ in answer }).run { _ in }
    }
    guard case .unexpectedAnswer(answer.status, "/files/model.safetensors") = error else {
      Issue.record("\(error.map(\.description) ?? "no error")")
      return
    }
    #expect(try Data(contentsOf: path("model.safetensors.part")) == Self.content.prefix(100))
    #expect(try names() == ["model.safetensors.part"])
  }

  @Test("A manifest can't name what is outside the folder", arguments: ["", ".", "..", "../x", "/etc/passwd", "a/b", "x\0y"])
  func hostileNames(name: String) async throws {
    defer { cleanUp() }
    let error = await #expect(throws: ClientError.self) { try await download(name).run { _ in } }
    #expect(error?.exitStatus == 64)
    #expect(server.requests.isEmpty)
    #expect(try names().isEmpty)
  }

  @Test(
    "Names are percent-encoded in the path",
    arguments: [("a b.json", "/files/a%20b.json"), ("50%.txt", "/files/50%25.txt"), ("a?b#c", "/files/a%3Fb%23c"), ("é", "/files/%C3%A9")])
  func encodedNames(name: String, target: String) async throws {
    defer { cleanUp() }
    try await download(name, partSize: 1000).run { _ in }
    #expect(server.requests.map(\.target) == [target])
    #expect(try Data(contentsOf: path(name)) == Self.content)
  }

  @Test("A folder in a file's place is left alone")
  func folderInThePlace() async throws {
    defer { cleanUp() }
    let inside = path("model.safetensors").appending(component: "precious")
    try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: true)
    let error = await #expect(throws: ClientError.self) { try await download().run { _ in } }
    #expect(error?.exitStatus == 64)
    #expect(FileManager.default.fileExists(atPath: inside.path))
  }

  @Test("A size below zero gives no file")
  func negativeSize() async throws {
    defer { cleanUp() }
    let error = await #expect(throws: ClientError.self) { try await download(size: -1).run { _ in } }
    #expect(error?.exitStatus == 5)
    #expect(try names().isEmpty)
  }

  @Test("A folder that isn't there is said")
  func missingFolder() async throws {
    cleanUp()
    let error = await #expect(throws: ClientError.self) { try await download().run { _ in } }
    #expect(error?.exitStatus == 64)
  }
}
