import Hummingbird
import JobModel
import JobStore

/// The layers of a job, and every try at them.
struct LayerRoutes {
  let repository: JobRepository
  let listing: Turns

  private static let limits = 1...10_000
  private static let defaultLimit = 1000

  var routes: [Route] {
    [
      .get("v1/jobs/:id/layers", query: ["after", "limit"], use: layers),
      .get("v1/jobs/:id/layers/:name", use: layer),
      .get("v1/jobs/:id/attempts", query: ["layer", "after", "limit"], use: attempts),
    ]
  }

  @Sendable private func layers(_ request: Request, _ context: APIContext) async throws -> Response {
    let job = try await context.requireJob(in: repository)
    let limit = try context.query.integer("limit", in: Self.limits) ?? Self.defaultLimit
    let after = context.query["after"]
    return try await listing.run { try .json(try await repository.layers(of: job.id, after: after, limit: limit)) }
  }

  @Sendable private func layer(_ request: Request, _ context: APIContext) async throws -> Response {
    let job = try await context.requireJob(in: repository)
    let name = context.pathText("name")
    guard let layer = try await repository.layer(name, of: job.id) else {
      throw Problem(.layerNotFound, status: 404, title: "The job has no such layer", detail: "no layer is named \(name.prefix(200))")
    }
    return try await listing.run {
      let attempts = try await repository.attempts(of: job.id, layer: name, after: 0, limit: Self.limits.upperBound)
      return try .json(LayerHistory(layer: layer, history: attempts.data))
    }
  }

  @Sendable private func attempts(_ request: Request, _ context: APIContext) async throws -> Response {
    let job = try await context.requireJob(in: repository)
    let limit = try context.query.integer("limit", in: Self.limits) ?? Self.defaultLimit
    let (layer, after) = (context.query["layer"], try context.query.integer("after", in: 0...Int.max) ?? 0)
    return try await listing.run { try .json(try await repository.attempts(of: job.id, layer: layer, after: after, limit: limit)) }
  }
}

/// A layer's record with its attempts as one more member.
private struct LayerHistory: Encodable {
  let layer: LayerRecord
  let history: [AttemptRecord]

  private enum CodingKeys: CodingKey { case history }

  func encode(to encoder: any Encoder) throws {
    try layer.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(history, forKey: .history)
  }
}
