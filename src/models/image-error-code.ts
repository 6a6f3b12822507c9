import { registerEnumType } from "type-graphql";

export enum ImageErrorCode {
  UNDECODABLE = "UNDECODABLE",
  TOO_LARGE = "TOO_LARGE",
  TOO_SMALL = "TOO_SMALL",
  TOO_MANY_PIXELS = "TOO_MANY_PIXELS",
  UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE",
  ASSET_NOT_FOUND = "ASSET_NOT_FOUND",
}

registerEnumType(ImageErrorCode, { name: "ImageErrorCode", description: "Why an image was not classified." });
