import Hummingbird
import JobModel
import JobStore

/// The layers of a job, and every try at them.
struct LayerRoutes {
  let repository: JobRepository

  var routes: [Route] {
    [
      .get("v1/jobs/:id/layers", use: layers),
      .get("v1/jobs/:id/layers/:name", use: layer),
      .get("v1/jobs/:id/attempts", query: ["layer"], use: attempts),
    ]
  }

  @Sendable private func layers(_ request: Request, _ context: APIContext) async throws -> Response {
    let job = try await context.requireJob(in: repository)
    let layers = try await repository.layers(of: job.id)
    return try .json(APIList(data: layers, lastId: layers.last?.name))
  }

  @Sendable private func layer(_ request: Request, _ context: APIContext) async throws -> Response {
    let job = try await context.requireJob(in: repository)
    let name = context.pathText("name")
    guard let layer = try await repository.layer(name, of: job.id) else {
      throw Problem(.layerNotFound, status: 404, title: "The job has no such layer", detail: "no layer is named \(name.prefix(200))")
    }
    return try .json(LayerHistory(layer: layer, history: try await repository.attempts(of: job.id, layer: name)))
  }

  @Sendable private func attempts(_ request: Request, _ context: APIContext) async throws -> Response {
    let job = try await context.requireJob(in: repository)
    return try .json(APIList(data: try await repository.attempts(of: job.id, layer: context.query["layer"])))
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
