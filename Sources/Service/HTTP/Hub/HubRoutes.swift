import Foundation
import HTTPTypes
import Hummingbird
import JobModel
import JobRunner
import NIOCore

/// Repositories for clients of the Hugging Face Hub (huggingface.co/docs/hub/api): finished jobs as `jobs/<id>`, models as
/// `models/<name>`, for reading.
///
/// Query parameters that aren't known are ignored, as the Hub does: clients have many.
struct HubRoutes {
  let catalog: HubCatalog
  let files: WorkerPool
  /// For answers that are large.
  let listing: Turns

  private typealias Finding = @Sendable (APIContext) async throws -> any HubRepository

  var routes: [Route] {
    routes(of: "jobs/:id") { try await catalog.job($0.pathText("id")) }
      + routes(of: "models/:name") { try await catalog.model($0.pathText("name")) }
      + [.get("api/whoami-v2", query: nil, use: whoAmI)]
  }

  private func routes(of name: String, _ find: @escaping Finding) -> [Route] {
    [
      .get("api/models/\(name)", query: nil) { try await info($0, try await repository($1, find)) },
      .get("api/models/\(name)/revision/:revision", query: nil) { try await info($0, try await repository($1, find)) },
      .get("api/models/\(name)/tree/:revision", query: nil) { try await tree($0, $1, try await repository($1, find)) },
      .get("api/models/\(name)/tree/:revision/**", query: nil) { try await tree($0, $1, try await repository($1, find)) },
      .get("\(name)/resolve/:revision/**", query: nil) { try await resolve($0, $1, try await repository($1, find)) },
    ]
  }

  private func repository(_ context: APIContext, _ find: Finding) async throws -> any HubRepository {
    let repository = try await find(context)
    guard context.parameters.get("revision") != nil else { return repository }
    let revision = context.pathText("revision")
    guard revision == "main" || revision == repository.commit else { throw Refusal.noRevision(revision, of: repository) }
    return repository
  }

  private func info(_ request: Request, _ repository: any HubRepository) async throws -> Response {
    guard request.isTrue("blobs") else { return try .hub(HubInfo(repository), of: repository) }
    let blobs = try await repository.blobs(of: repository.files)
    return try await listing.run { try .hub(HubInfo(repository, blobs), of: repository) }
  }

  private func tree(_ request: Request, _ context: APIContext, _ repository: any HubRepository) async throws -> Response {
    let path = context.restOfPath
    let prefix = path.isEmpty || path.hasSuffix("/") ? path : path + "/"
    let files = repository.files.filter { $0.path.utf8.starts(with: prefix.utf8) }
    guard !files.isEmpty || path.isEmpty else { throw Refusal.noEntry(path, of: repository) }
    let blobs = try await repository.blobs(of: files)
    return try await listing.run {
      try .hub(HubTree(blobs, prefix: prefix).entries(recursive: request.isTrue("recursive")), of: repository)
    }
  }

  private func resolve(_ request: Request, _ context: APIContext, _ repository: any HubRepository) async throws -> Response {
    let path = context.restOfPath
    guard let file = repository.files.first(where: { $0.path.utf8.elementsEqual(path.utf8) }) else {
      throw Refusal.noEntry(path, of: repository)
    }
    try repository.requireServable(file)
    let answer = FileAnswer(
      path: path, size: file.size, sha256: try await repository.sha256(of: file), files: files,
      headers: [.xRepoCommit: repository.commit], open: { try await repository.open(file) },
      onDamage: { await repository.noteDamage(to: file) })
    return request.method == .head ? answer.head(of: request) : try await answer.response(to: request)
  }

  /// For `hf auth whoami`: the name of the token.
  @Sendable private func whoAmI(_ request: Request, _ context: APIContext) async throws -> Response {
    try .hub(HubIdentity(context.token))
  }
}

extension Response {
  /// JSON with the Hub's names.
  fileprivate static func hub(_ value: some Encodable, of repository: (any HubRepository)? = nil) throws -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var headers: HTTPFields = [.contentType: "application/json"]
    headers[.xRepoCommit] = repository?.commit
    return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
  }
}

extension Request {
  /// Python's `True` and JSON's `true`.
  fileprivate func isTrue(_ name: Substring) -> Bool {
    uri.queryParameters[name].map { ["true", "1"].contains($0.lowercased()) } ?? false
  }
}
