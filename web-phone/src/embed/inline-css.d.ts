declare module "*.css?inline" {
  export const text: string;
  export default text;
}
