// Stands for what ink asks whether it runs in a build service, where it would draw nothing: containers inherit such variables.
export default false;
