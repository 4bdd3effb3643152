import Crypto
import Foundation
import StrictJSON

/// The description of the HTTP API that `GET /openapi.json` serves (OpenAPI 3.1). Tests compare it with the routes, the Swift types, what
/// the parsers take and what the daemon answers.
enum OpenAPIDocument {
  static let json: JSONValue = [
    "openapi": "3.1.1",
    "info": [
      "title": "gptqd", "version": .string(Daemon.version), "summary": "Quantizes language models with GPTQ, as a service.",
      "description": .string(description), "license": ["name": "Apache License 2.0", "identifier": "Apache-2.0"],
    ],
    "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
    "servers": [["url": "/", "description": "The daemon that serves this document."]],
    "security": [["token": []]],
    "tags": .array(Area.all.map { ["name": .string($0.name), "description": .string($0.description)] }),
    "paths": paths,
    "components": [
      "schemas": schemas, "responses": ErrorAnswers.components,
      "securitySchemes": [
        "token": ["type": "http", "scheme": "bearer", "description": .string(tokenDescription)]
      ],
    ],
  ]

  static let bytes = Data(json.serialized().utf8)

  static let tag = "\"" + SHA256.hash(data: bytes).hexadecimal + "\""

  private static let description = """
    A client submits a job, follows it, and downloads the GPTQ checkpoint that comes of it.

    Times are RFC 3339 in UTC. `HEAD` goes wherever `GET` does. Lists come in parts: where `has_more` is true, `after=` the `last_id` gets \
    the next. An unknown or repeated query parameter is an error (400), as is an unknown member of a body (422); null is the same as \
    leaving a member out. Errors are problem documents (RFC 9457), whose `code` is stable. This document describes one version of the \
    daemon exactly; later ones may add members to answers, so clients should ignore those that they don't know.
    """

  private static let tokenDescription = """
    A token that `gptqd token new NAME` made, where the daemon's `auth.tokens` is set; one of the scope `read` allows GET and HEAD. Without \
    `auth.tokens` none is needed, and the daemon answers its own machine only.
    """

  private static var paths: JSONValue {
    var paths = JSONObject()
    for area in Area.all {
      for operation in area.operations {
        var item = paths[operation.path]?.objectValue ?? [:]
        item[operation.method.rawValue.lowercased()] = operation.json(tag: area.name)
        paths[operation.path] = .object(item)
      }
    }
    return .object(paths)
  }

  private static var schemas: JSONValue {
    var schemas: JSONObject = ["Problem": ErrorAnswers.problem.json]
    for area in Area.all {
      for (name, schema) in area.schemas { schemas[name] = schema.json }
    }
    return .object(schemas)
  }
}
