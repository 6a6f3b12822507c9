export { GraphQLUpload as Upload } from "graphql-upload-minimal";
