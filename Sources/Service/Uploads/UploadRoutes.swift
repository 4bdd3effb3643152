import Foundation
import HTTPTypes
import Hummingbird
import JobModel
import JobStore

/// Models and datasets: put there by clients, and listed with those of the configured roots.
struct UploadRoutes {
  let store: UploadStore
  /// For answers that are large.
  let listing: Turns
  let budget: MemoryBudget

  var routes: [Route] {
    [
      .get("v1/models", query: ["limit", "after"], use: models),
      .get("v1/models/:name", use: model),
      .delete("v1/models/:name", use: deleteModel),
      .get("v1/models/:name/files/**", use: file),
      .put("v1/models/:name/files/**", use: putFile),
      .delete("v1/models/:name/files/**", use: deleteFile),
      .get("v1/datasets", query: ["limit", "after"], use: datasets),
      .get("v1/datasets/:name", use: dataset),
      .put("v1/datasets/:name", use: putDataset),
      .delete("v1/datasets/:name", use: deleteDataset),
    ]
  }

  // MARK: Models

  @Sendable private func models(_ request: Request, _ context: APIContext) async throws -> Response {
    try await list(.model, context) { try await store.model($0, listsFiles: false) }
  }

  @Sendable private func model(_ request: Request, _ context: APIContext) async throws -> Response {
    let name = try name(context)
    return try await listing.run { try .json(try await requireModel(name)) }
  }

  @Sendable private func deleteModel(_ request: Request, _ context: APIContext) async throws -> Response {
    try await delete(.model, try name(context), nil, context) { name in try await requireModel(name).source }
  }

  private func requireModel(_ name: String) async throws -> StoredModel {
    guard let model = try await store.model(name, listsFiles: true) else { throw Problem.modelNotFound("no model is named \(name)") }
    return model
  }

  // MARK: Files

  /// How a file is, not its bytes.
  @Sendable private func file(_ request: Request, _ context: APIContext) async throws -> Response {
    let (name, path) = (try name(context), try path(request))
    let file = try await requireFile(path, of: name)
    return try .json(file, headers: Self.headers(file.upload, size: file.size))
  }

  @Sendable private func putFile(_ request: Request, _ context: APIContext) async throws -> Response {
    let (name, path) = (try name(context), try path(request))
    return try await put(request, to: .file(path, of: name), context) { try await requireFile(path, of: name) }
  }

  @Sendable private func deleteFile(_ request: Request, _ context: APIContext) async throws -> Response {
    let (name, path) = (try name(context), try path(request))
    return try await delete(.model, name, path.description, context) { name in
      _ = try await requireFile(path, of: name)
      return try await requireModel(name).source
    }
  }

  private func requireFile(_ path: ModelFilePath, of name: String) async throws -> StoredFile {
    guard let file = try await requireModel(name).files?.first(where: { $0.path == path.description }) else {
      throw Problem.modelNotFound("the model \(name) has no file \(path)")
    }
    return file
  }

  // MARK: Datasets

  @Sendable private func datasets(_ request: Request, _ context: APIContext) async throws -> Response {
    try await list(.dataset, context) { try await store.dataset($0) }
  }

  @Sendable private func dataset(_ request: Request, _ context: APIContext) async throws -> Response {
    let dataset = try await requireDataset(try name(context))
    return try .json(dataset, headers: Self.headers(dataset.upload, size: dataset.size))
  }

  @Sendable private func putDataset(_ request: Request, _ context: APIContext) async throws -> Response {
    let name = try name(context)
    // For a line that isn't whole.
    let lease = try budget.lease(DatasetLines.lineLimit)
    defer { withExtendedLifetime(lease) {} }
    return try await put(request, to: .dataset(name), context) { try await requireDataset(name) }
  }

  @Sendable private func deleteDataset(_ request: Request, _ context: APIContext) async throws -> Response {
    try await delete(.dataset, try name(context), nil, context) { name in try await requireDataset(name).source }
  }

  private func requireDataset(_ name: String) async throws -> StoredDataset {
    guard let dataset = try await store.dataset(name) else {
      throw Problem(.datasetNotFound, status: 404, title: "There is no such dataset", detail: "no dataset is named \(name)")
    }
    return dataset
  }

  // MARK: Both

  private func list<Element: Codable & Sendable>(
    _ kind: UploadTarget.Kind, _ context: APIContext, _ element: (String) async throws -> Element?
  ) async throws -> Response {
    let (limit, after) = (try context.query.integer("limit", in: 1...1000) ?? 100, context.query["after"])
    return try await listing.run {
      let (names, hasMore) = try await store.names(kind, after: after, limit: limit)
      var elements: [Element] = []
      for name in names { if let element = try await element(name) { elements.append(element) } }
      return try .json(APIList(data: elements, hasMore: hasMore, lastId: names.last))
    }
  }

  /// 201 for a new file, 200 for one that is replaced, 202 for a part of one.
  private func put(
    _ request: Request, to target: UploadTarget, _ context: APIContext, _ show: () async throws -> some Encodable
  ) async throws -> Response {
    switch try await store.receiver.receive(request, to: target, context) {
    case .part(let received):
      return try .json(try await show(), status: .accepted, headers: [.uploadComplete: "?0", .uploadOffset: "\(received)"])
    case .whole(let file, let isNew):
      context.logger.info("uploaded", metadata: ["path": "\(target)", "bytes": "\(file.size)", "sha256": "\(file.sha256)"])
      var headers: HTTPFields = [.uploadComplete: "?1", .uploadOffset: "\(file.size)"]
      if isNew { headers[.location] = request.uri.path }
      return try .json(try await show(), status: isNew ? .created : .ok, headers: headers)
    }
  }

  private func delete(
    _ kind: UploadTarget.Kind, _ name: String, _ path: String?, _ context: APIContext, source: (String) async throws -> StoredSource
  ) async throws -> Response {
    guard try await store.delete(kind, name, path: path) else {
      // Tells which of the two it is.
      _ = try await source(name)
      throw Problem(
        .forbidden, status: 403, title: "Only what was uploaded can be deleted",
        detail: "\(name) is in a configured folder of the server's; whoever runs it can remove it there")
    }
    context.logger.notice("deleted", metadata: ["\(kind.rawValue)": "\(name)", "file": "\(path ?? "all")"])
    return Response(status: .noContent)
  }

  private static func headers(_ upload: UploadProgress?, size: Int?) -> HTTPFields {
    guard let upload else { return [.uploadComplete: "?1", .uploadOffset: "\(size ?? 0)"] }
    var headers: HTTPFields = [.uploadComplete: "?0", .uploadOffset: "\(upload.received)"]
    if let size = upload.size { headers[.uploadLength] = "\(size)" }
    return headers
  }

  private func name(_ context: APIContext) throws(Problem) -> String {
    let name = context.pathText("name")
    guard ResourceName.isForUploads(name) else {
      throw .invalidPath(
        "\"\(name.prefix(120))\" must be 1 to 96 letters, digits, dots, dashes and underscores, and not begin with a dot")
    }
    return name
  }

  /// All that follows `files/` in the path, empty segments included.
  private func path(_ request: Request) throws(Problem) -> ModelFilePath {
    var segments = request.uri.path.split(separator: Character("/"), omittingEmptySubsequences: false)[...]
    for _ in 0..<4 {
      segments = segments.drop(while: \.isEmpty).dropFirst()
    }
    return try ModelFilePath(segments: segments.map { $0.removingPercentEncoding ?? String($0) })
  }
}

extension Problem {
  fileprivate static func modelNotFound(_ detail: String) -> Problem {
    Problem(.modelNotFound, status: 404, title: "There is no such model or file", detail: detail)
  }
}
